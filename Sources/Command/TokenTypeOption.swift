import ArgumentParser
import Tokens

/// The option that says what token files without a header hold.
struct TokenTypeOption: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      The type of the ids in token files without a header. (default: int32 or uint16, which the ids look like)
      """,
      valueName: TokenType.raw.map(\.rawValue).joined(separator: "|")))
  var tokenType: TokenType?
}

extension TokenType: ExpressibleByArgument {
  public init?(argument: String) {
    guard let type = Self.raw.first(where: { $0.rawValue == argument }) else { return nil }
    self = type
  }

  public static var allValueStrings: [String] { raw.map(\.rawValue) }
}
