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
    func whole(_ part: ParameterPart) -> ParameterRows { ParameterRows(whole: part, configuration) }
    switch self {
    case .embeddings(let tokens):
      let rows = Self.tokenRows(Self.ranges(of: tokens), pieces: 1, configuration, homes)
      return rows.flatMap { $0 } + [whole(ParameterPart(.wpe))]
    case .tokens(outside: let tokens):
      return Self.rows(outside: tokens, times: 1, configuration, homes).flatMap { $0 }
    case .layer(let layer): return ParameterRange.parts(layer, Parameter.layered).rows(configuration, homes)
    case .parts(let layer, let parameters): return parameters.map { whole(ParameterPart($0, layer: layer)) }
    case .lastNorm: return [whole(ParameterPart(.lnfw)), whole(ParameterPart(.lnfb))]
    }
  }

  /// The rows of wte of no token among these, each domain's in pieces that are taken by and by.
  ///
  /// - Parameter times: how many pieces all of wte makes, and a domain's share one a layer at least: each costs the leader
  ///   some time. The ends of shares and the tokens make more.
  static func rows(
    outside tokens: BoundedIntegers, times: Int, _ configuration: Configuration, _ homes: Homes
  ) -> [[ParameterRows]] {
    let gaps = gaps(in: ranges(of: tokens), below: configuration.paddedVocabularySize)
    let pieces = max(min(times, configuration.layers), times / homes.domains)
    return tokenRows(gaps, pieces: pieces, configuration, homes)
  }

  private static func tokenRows(
    _ ranges: [Range<Int>], pieces: Int, _ configuration: Configuration, _ homes: Homes
  ) -> [[ParameterRows]] {
    homes.pieces(of: ranges, in: configuration.paddedVocabularySize, number: pieces).enumerated().map {
      home, ranges in ranges.map { ParameterRows(part: ParameterPart(.wte), range: $0, home: home) }
    }
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
  let range: Range<Int>
  /// The domain in whose share of the tensor they lie; nil: they are all of it, and shared out.
  let home: Int?

  init(part: ParameterPart, range: Range<Int>, home: Int?) {
    (self.part, self.range, self.home) = (part, range, home)
  }

  /// All rows of a part.
  init(whole part: ParameterPart, _ configuration: Configuration) {
    self.init(part: part, range: 0..<part.count(configuration) / configuration.channels, home: nil)
  }

  /// These rows of parameters, gradients or a slot; all of them in their own shape.
  func tensor(in tensors: ParameterTensors) -> Tensor {
    let channels = tensors.configuration.channels
    let whole = tensors[part]
    if range == 0..<whole.count / channels { return whole }
    return whole.slice(range.lowerBound * channels..<range.upperBound * channels)
  }

  /// The same in pieces of at most `count` rows.
  func pieces(of count: Int) -> [ParameterRows] {
    stride(from: range.lowerBound, to: range.upperBound, by: count).map {
      ParameterRows(part: part, range: $0..<min(range.upperBound, $0 + count), home: home)
    }
  }
}
