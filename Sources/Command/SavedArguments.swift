/// The arguments that a run goes on with: those that it was started with, and what is given anew behind them, as the
/// last of an option's values holds.
enum SavedArguments {
  /// The options whose values add up when they are given twice.
  private static let lists = ["--train-data", "--val-data"]
  /// The options of which one takes the other's place.
  private static let alternatives = ["--steps": "--epochs", "--epochs": "--steps"]

  static func merged(saved: [String], given: [String]) -> [String] {
    // Resumed with the same words again and again they would grow.
    if saved.suffix(given.count) == given[...] { return saved }
    var merged: [String] = []
    var isDropped = false
    for argument in saved {
      if argument.hasPrefix("--") {
        let name = argument.prefix { $0 != "=" }
        isDropped =
          lists.contains(String(name)) && isGiven(String(name), in: given)
          || alternatives[String(name)].map { isGiven($0, in: given) } ?? false
      }
      if !isDropped { merged.append(argument) }
    }
    return merged + given
  }

  private static func isGiven(_ name: String, in arguments: [String]) -> Bool {
    arguments.contains { $0 == name || $0.hasPrefix(name + "=") }
  }
}
