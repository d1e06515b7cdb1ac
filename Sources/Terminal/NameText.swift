import Machine

/// Names of files and data sets in a line.
package enum NameText {
  /// All of a few, else how many there are, the first and the last.
  package static func list(_ names: [String], of noun: String, most: Int = 3) -> String {
    guard names.count > most, let first = names.first, let last = names.last else {
      return names.joined(separator: ", ")
    }
    return "\(NumberText.count(names.count, noun)), \(first) to \(last)"
  }

  /// What is said where a model took the place of another one.
  package static func removed(_ names: [String]) -> String {
    "removed \(list(names, of: "file", most: 12)), which belonged to the model that was there".shown
  }
}
