import Machine
import Operators
import Reference
import TestSupport
import Testing

@Suite struct EncoderTests {
  struct Size: CustomTestStringConvertible, Sendable {
    let batchSize, sequenceLength, channels: Int
    var testDescription: String { "B \(batchSize), T \(sequenceLength), C \(channels)" }
    var rows: Int { batchSize * sequenceLength }
    var count: Int { rows * channels }

    static let ragged = [
      (1, 1, 1), (2, 2, 15), (1, 19, 16), (3, 63, 17), (2, 64, 31), (1, 65, 33), (2, 131, 12), (1, 7, 131),
      (4, 5, 257),
    ].map { Size(batchSize: $0.0, sequenceLength: $0.1, channels: $0.2) }
  }

  /// Few, so that tokens repeat; the position table has rows that are not used.
  let vocabulary = 11
  let unusedPositions = 3

  /// Rounded once (`ResidualTests` says why a sum in double may be rounded to float).
  @Test(arguments: Size.ragged) func forward(_ size: Size) throws {
    var random = TestRandom(seed: 5)
    let tokens = random.tokens(size.rows - 1, vocabulary: vocabulary) + [Int32(vocabulary - 1)]
    let wte: [Float] = random.normal(vocabulary * size.channels)
    let wpe: [Float] = random.normal(size.sequenceLength * size.channels)
    let results = try everywhere { place in
      let out = try place.output(size.count)
      try Encoder.forward(
        BoundedIntegers(tokens, below: vocabulary), wte: place.input(wte).matrix(columns: size.channels),
        wpe: place.input(wpe).matrix(columns: size.channels), sequenceLength: size.sequenceLength,
        out: out.matrix(columns: size.channels), context: place.context)
      return ["out": out.array()]
    }
    let expected = ReferenceEncoder.forward(
      tokens, wte: doubles(wte), wpe: doubles(wpe), batchSize: size.batchSize,
      sequenceLength: size.sequenceLength, channels: size.channels)
    for (set, outputs) in results {
      expect(outputs["out"], equals: expected.map { Float($0) }, "out on \(set)")
    }
  }

  /// A gradient is the sum of at most B·T rows and what was there: as many roundings. dwte is added to always, dwpe
  /// only where `accumulate` says so, and its unused rows become 0 where not.
  @Test(arguments: Size.ragged, [false, true]) func backward(_ size: Size, accumulate: Bool) throws {
    var random = TestRandom(seed: 6)
    let tokens = random.tokens(size.rows, vocabulary: vocabulary)
    let dout: [Float] = random.normal(size.count)
    let dwteBefore: [Float] = random.normal(vocabulary * size.channels)
    let dwpeBefore: [Float] = random.normal((size.sequenceLength + unusedPositions) * size.channels)
    let results = try everywhere { place in
      let dwte = try place.input(dwteBefore)
      let dwpe = try accumulate ? place.input(dwpeBefore) : place.output(dwpeBefore.count)
      try Encoder.backward(
        place.input(dout).matrix(columns: size.channels), tokens: BoundedIntegers(tokens, below: vocabulary),
        sequenceLength: size.sequenceLength, accumulate: accumulate,
        dwte: dwte.matrix(columns: size.channels),
        dwpe: dwpe.matrix(columns: size.channels), context: place.context)
      return ["dwte": dwte.array(), "dwpe": dwpe.array()]
    }
    func reference(_ convert: ([Float]) -> [Double]) -> (dwte: [Double], dwpe: [Double]) {
      var dwte = convert(dwteBefore)
      var dwpe = accumulate ? convert(dwpeBefore) : [Double](repeating: 0, count: dwpeBefore.count)
      ReferenceEncoder.backward(
        convert(dout), tokens: tokens, batchSize: size.batchSize, sequenceLength: size.sequenceLength,
        channels: size.channels, dwte: &dwte, dwpe: &dwpe)
      return (dwte, dwpe)
    }
    let (expected, sums) = (reference(doubles), reference(magnitudes))
    // The order of the sum is promised, positions ascending: the plain loops in float give the same bits.
    var inFloat = (dwte: dwteBefore, dwpe: accumulate ? dwpeBefore : dwpeBefore.map { _ in 0 })
    ReferenceEncoder.backward(
      dout, tokens: tokens, batchSize: size.batchSize, sequenceLength: size.sequenceLength,
      channels: size.channels, dwte: &inFloat.dwte, dwpe: &inFloat.dwpe)
    let error = rounded(size.rows)
    for (set, outputs) in results {
      expect(outputs["dwte"], near: expected.dwte, within: sums.dwte.map { error * $0 }, "dwte on \(set)")
      expect(outputs["dwpe"], near: expected.dwpe, within: sums.dwpe.map { error * $0 }, "dwpe on \(set)")
      expect(outputs["dwte"], equals: inFloat.dwte, "dwte on \(set)")
      expect(outputs["dwpe"], equals: inFloat.dwpe, "dwpe on \(set)")
    }
  }
}
