import Machine

/// A part of the parameters whose gradients become final at once in a backward pass, and which a forward pass needs at
/// once.
enum ParameterRange {
  /// The rows of wte of these tokens, and wpe: what a forward pass begins with, and what a backward pass ends with.
  case embeddings(BoundedIntegers)
  /// The other rows of wte.
  case tokens(outside: BoundedIntegers)
  case layer(Int)
  /// Some of a layer.
  case parts(Int, [Parameter])
  /// lnfw and lnfb.
  case lastNorm

  /// The same as rows of C numbers, of which every tensor consists.
  func rows(_ configuration: Configuration, _ homes: Homes) -> [ParameterRows] {
    switch self {
    case .embeddings(let tokens):
      let ranges = Self.ranges(of: tokens)
      let rows = homes.pieces(of: ranges, in: configuration.paddedVocabularySize, number: 1)
      return [
        ParameterRows(part: ParameterPart(.wte), ranges: rows), ParameterRows(part: ParameterPart(.wpe)),
      ]
    case .tokens(outside: let tokens):
      let rows = Self.rows(outside: tokens, times: 1, configuration, homes)
      return [ParameterRows(part: ParameterPart(.wte), ranges: rows)]
    case .layer(let layer): return ParameterRange.parts(layer, Parameter.layered).rows(configuration, homes)
    case .parts(let layer, let parameters):
      return parameters.map { ParameterRows(part: ParameterPart($0, layer: layer)) }
    case .lastNorm: return [.lnfw, .lnfb].map { ParameterRows(part: ParameterPart($0)) }
    }
  }

  /// The rows of wte of no token among these, each domain's in pieces that are taken by and by.
  ///
  /// - Parameter times: how many pieces all of a domain's share would make, at the least; tokens make more.
  static func rows(
    outside tokens: BoundedIntegers, times: Int, _ configuration: Configuration, _ homes: Homes
  ) -> [[Range<Int>]] {
    let count = configuration.paddedVocabularySize
    return homes.pieces(of: gaps(in: ranges(of: tokens), below: count), in: count, number: times)
  }

  /// The tokens as ascending ranges that do not touch.
  private static func ranges(of tokens: BoundedIntegers) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    for token in Set(tokens.array).sorted().map({ Int($0) }) {
      if let last = ranges.last, last.upperBound == token {
        ranges[ranges.count - 1] = last.lowerBound..<token + 1
      } else {
        ranges.append(token..<token + 1)
      }
    }
    return ranges
  }

  /// What ascending ranges leave of 0..<end.
  private static func gaps(in ranges: [Range<Int>], below end: Int) -> [Range<Int>] {
    var gaps: [Range<Int>] = []
    var start = 0
    for range in ranges + [end..<end] {
      if range.lowerBound > start { gaps.append(start..<range.lowerBound) }
      start = range.upperBound
    }
    return gaps
  }
}

/// Rows of C numbers of one tensor, or of one layer's.
struct ParameterRows {
  let part: ParameterPart
  /// Those that lie in each domain's share of the tensor; nil: all of it, and shared out.
  var ranges: [[Range<Int>]]?

  /// What work on all of the tensor does on these.
  ///
  /// - Parameter row: what the work counts in: the numbers of a row, or 1.
  func of(_ whole: Work, row: Int) -> Work {
    guard let ranges else { return whole }
    return whole.blocks(on: ranges.map { $0.map { $0.lowerBound * row..<$0.upperBound * row } })
  }
}
