import ArgumentParser

/// The help of an option that takes a whole number.
package func wholeNumber(_ text: String) -> ArgumentHelp { ArgumentHelp(text, valueName: "n") }

/// The help of an option that takes a number, such as 1e-4.
package func number(_ text: String) -> ArgumentHelp { ArgumentHelp(text, valueName: "x") }

/// What the parser does not say of a value that is none: its option takes numbers.
func expectedNumber(afterMessage message: String) -> String {
  if message.hasSuffix(" <n>'") { return ": it is a whole number from 0 up" }
  if message.hasSuffix(" <x>'") { return ": it is a number, such as 0.5 or 1e-4" }
  return ""
}

/// An error of the library's whose sentence begins with the name of what is wrong, with the option's in its place.
///
/// - Parameter options: by the names that the library has for them.
package func namingOption(_ error: any Error, _ options: [String: String]) -> String {
  let sentence = "\(error)"
  for (name, option) in options where sentence.hasPrefix(name + " ") {
    return option + sentence.dropFirst(name.count)
  }
  return sentence
}

/// An error's sentence and what to type instead.
package func advising(_ error: any Error, _ advice: String) -> String {
  let sentence = "\(error)"
  return (sentence.hasSuffix(".") ? String(sentence.dropLast()) : sentence) + ": \(advice)."
}
