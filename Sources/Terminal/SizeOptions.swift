import ArgumentParser
import GPT2

/// The sizes of a model of one's own: all five or none.
package struct SizeOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "L: layers of a model of your own, with --heads, --channels, --vocabulary and --context.",
      valueName: "n"))
  package var layers: Int?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("NH: heads of the attention, among which the channels are divided.", valueName: "n"))
  package var heads: Int?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("C: width, the numbers that layers pass on for each position.", valueName: "n"))
  package var channels: Int?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("V: tokens that there are; the data's ids are below it.", valueName: "n"))
  package var vocabulary: Int?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The longest sequence, in tokens, that the model can see.", valueName: "n"))
  package var context: Int?

  package init() {}

  private var sizes: [(name: String, size: Int?)] {
    [
      ("--layers", layers), ("--heads", heads), ("--channels", channels), ("--vocabulary", vocabulary),
      ("--context", context),
    ]
  }

  /// The first option that is given.
  package var firstGiven: String? { sizes.first { $0.size != nil }?.name }

  /// What the sizes describe; nil where none is given.
  ///
  /// Checked here and not when they are parsed, so that a program can first refuse them beside another way to name
  /// a model.
  ///
  /// - Throws: `ValidationError`: some are given and some are not, or they make no model.
  package func configuration() throws -> Configuration? {
    let missing = sizes.filter { $0.size == nil }.map(\.name)
    if missing.count == sizes.count { return nil }
    guard let layers, let heads, let channels, let vocabulary, let context else {
      // What is meant by it alone is another option.
      if missing.count == sizes.count - 1, context != nil {
        throw ValidationError(
          "--context belongs to a model of your own and needs \(missing.joined(separator: ", ")) beside it:"
            + " --sequence-length says how many tokens of a model's context are used")
      }
      throw ValidationError(
        "a model of your own needs all of \(sizes.map(\.name).joined(separator: ", ")), found none of "
          + missing.joined(separator: ", "))
    }
    do {
      return try Configuration(
        maximumSequenceLength: context, vocabularySize: vocabulary, layers: layers, heads: heads,
        channels: channels)
    } catch {
      throw ValidationError(namingOption(error, Self.options))
    }
  }

  /// The options by the names that the library's errors have for them.
  private static let options = [
    "the maximum sequence length": "--context", "the vocabulary size": "--vocabulary",
    "the number of layers": "--layers", "the number of heads": "--heads",
    "the number of channels": "--channels",
  ]
}

/// Refuses more than one way to name a model.
///
/// - Parameter given: the option of each way, nil where it is not given.
package func checkOneModel(_ given: [String?], expected: String) throws(ValidationError) {
  let given = given.compactMap { $0 }
  guard given.count <= 1 else {
    throw ValidationError("expected one of \(expected), found \(given.joined(separator: " and "))")
  }
}
