import Foundation
import Machine
import Operators
import TestSupport
import Testing

/// Against the formats' definitions, bit for bit.
@Suite struct ConversionTests {
  /// About a vector, and the 16384 numbers of a task.
  static let counts = [0, 1, 2, 15, 16, 17, 31, 33, 131, 16383, 16384, 16385, 40001]

  private static let halves: [UInt16] = (0...UInt16.max).map { $0 }

  /// Neighbours of every half and of the middles between them, infinities, NaNs with all kinds of payloads, subnormals,
  /// and random patterns of bits.
  private static let floats: [Float] = {
    var random = TestRandom(seed: 41)
    let patterns = (0..<100_000).map { _ in UInt32(truncatingIfNeeded: random.next()) }
    let edges = (0...UInt32(0xFFFF)).flatMap { upper in
      [0, 1, 0xFFF, 0x1000, 0x1001, 0x2FFF, 0x3000, 0x7FFF, 0x8000, 0x8001, 0xFFFF].map { upper << 16 | $0 }
    }
    return (edges + patterns).map { Float(bitPattern: $0) }
  }()

  private static let formats: [Precision: HalfFormat] = [
    .bfloat16: HalfFormat(.bfloat16), .float16: HalfFormat(.float16),
  ]

  private func bits(_ number: Float, _ precision: Precision) throws -> UInt16 {
    try #require(Self.formats[precision]).nearest(number)
  }

  private func float(_ bits: UInt16, _ precision: Precision) throws -> Float {
    try #require(Self.formats[precision]).value(bits)
  }

  private func rounded(
    _ numbers: [Float], _ precision: Precision, _ context: ExecutionContext
  ) throws -> [UInt8] {
    let place = Place(context, edge: .end)
    defer { place.giveBack() }
    let tensor = try place.input(numbers)
    var bytes = [UInt8](repeating: 0xAB, count: numbers.count * precision.byteCount)
    var span = bytes.mutableSpan
    Conversion.round(tensor, to: precision, bytes: &span, context: context)
    return bytes
  }

  /// Expands from a mapped file, as checkpoints are read, from an odd place on: alignment does not matter.
  private func expanded(
    _ bytes: [UInt8], _ precision: Precision, count: Int, _ context: ExecutionContext
  ) throws -> [Float] {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).bin").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data([0] + bytes).write(to: URL(fileURLWithPath: path))
    let place = Place(context, edge: .end)
    defer { place.giveBack() }
    let y = try place.output(count)
    try MappedFile(path: path).withBytes(in: 1..<1 + bytes.count) { bytes in
      Conversion.expand(bytes, from: precision, y: y, context: context)
    }
    return y.array()
  }

  private func each(_ body: (ExecutionContext) throws -> Void) throws {
    for set in InstructionSet.available {
      for threads in 1...3 {
        try Pool.withContext(set, threads: threads, sequenceLength: 1, sharedCount: 1, body)
      }
    }
  }

  /// The definitions themselves, where their values are known.
  @Test func definitions() throws {
    let (bfloat16, float16) = (HalfFormat(.bfloat16), HalfFormat(.float16))
    #expect([0x3FC0, 0x7F7F, 0x0001, 0xFF80].map(bfloat16.value) == [1.5, 0x1.FEp127, 0x1p-133, -.infinity])
    #expect([0x3E00, 0x7BFF, 0x8001, 0x0400].map(float16.value) == [1.5, 65504, -0x1p-24, 0x1p-14])
    #expect(
      [0x1.03p0, 0x1.05p0, -0x1p-134, .infinity].map(bfloat16.nearest) == [0x3F82, 0x3F82, 0x8000, 0x7F80])
    #expect([65519, -65520, 0x1.8p-24, 0x1.0008p0].map(float16.nearest) == [0x7BFF, 0xFC00, 2, 0x3C00])
  }

  @Test(arguments: [Precision.bfloat16, .float16]) func rounding(_ precision: Precision) throws {
    let expected = try Self.floats.map { try bits($0, precision) }
    try each { context in
      let bytes = try rounded(Self.floats, precision, context)
      let wrong = expected.indices.first {
        UInt16(bytes[2 * $0]) | UInt16(bytes[2 * $0 + 1]) << 8 != expected[$0]
      }
      #expect(wrong == nil, "\(wrong.map { Self.floats[$0] } ?? 0) on \(context.instructionSet)")
    }
  }

  @Test(arguments: [Precision.bfloat16, .float16]) func expanding(_ precision: Precision) throws {
    let bytes = Self.halves.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
    let expected = try Self.halves.map { try float($0, precision) }
    try each { context in
      let numbers = try expanded(bytes, precision, count: expected.count, context)
      expect(numbers, equals: expected, "on \(context.instructionSet)")
    }
  }

  /// Every pattern comes back as it was; a NaN as a quiet one of the same sign and fraction.
  @Test(arguments: [Precision.bfloat16, .float16]) func patternsThereAndBack(_ precision: Precision) throws {
    let format = HalfFormat(precision)
    let bytes = Self.halves.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
    let expected = Self.halves.map { half in
      half & 0x7FFF > format.infinity ? half | 1 << (format.fractionBits - 1) : half
    }
    try each { context in
      let numbers = try expanded(bytes, precision, count: Self.halves.count, context)
      let back = try rounded(numbers, precision, context)
      #expect(back == expected.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }, "\(context.instructionSet)")
    }
  }

  /// What is infinite after rounding is found, the first of it, wherever it lies; infinities and NaN are not.
  @Test func overflow() throws {
    let cases: [(precision: Precision, least: Float)] = [(.float16, 65520), (.bfloat16, 0x1.FFp127)]
    let count = 40001
    for (precision, least) in cases {
      #expect(try bits(least, precision) == HalfFormat(precision).infinity)
      #expect(try bits(least.nextDown, precision) < HalfFormat(precision).infinity)
      var numbers = [Float](repeating: least.nextDown, count: count)
      numbers[3] = .infinity
      numbers[5] = .nan
      let fine = numbers
      for (first, second) in [(0, count - 1), (16383, 16384), (16384, 20000), (count - 1, count - 1)] {
        numbers = fine
        (numbers[second], numbers[first]) = (least, -least)
        try each { context in
          let place = Place(context, edge: .end)
          defer { place.giveBack() }
          let (x, y) = (try place.input(numbers), try place.input(fine))
          #expect(Conversion.firstOverflow(of: x, in: precision, context: context) == first)
          #expect(Conversion.firstOverflow(of: x, in: .float32, context: context) == nil)
          #expect(Conversion.firstOverflow(of: y, in: precision, context: context) == nil)
        }
      }
    }
  }

  /// Ragged counts, with both operands against inaccessible pages; a tensor's rounding comes back as it was stored.
  @Test(arguments: counts) func betweenTensors(_ count: Int) throws {
    var random = TestRandom(seed: 42)
    let numbers: [Float] = random.normal(count)
    let expected = try numbers.map { try float(bits($0, .bfloat16), .bfloat16) }
    for edge in [GuardEdge.start, .end] {
      let halves = try Arena.guardedTensor(shape: [count], elementType: .bfloat16, edge: edge)
      let copy = try Arena.guardedTensor(shape: [count], edge: edge)
      try each { context in
        let place = Place(context, edge: edge)
        defer { place.giveBack() }
        let (x, y) = (try place.input(numbers), try place.output(count))
        Conversion.forward(x, y: halves, context: context)
        Conversion.forward(halves, y: y, context: context)
        expect(y.array(), equals: expected, "on \(context.instructionSet)")
        Conversion.forward(x, y: copy, context: context)
        expect(copy.array(), equals: numbers, "a copy")
      }
    }
  }

  @Test(arguments: counts, Precision.allCases) func bytesThereAndBack(_ count: Int, _ precision: Precision)
    throws
  {
    var random = TestRandom(seed: 43)
    let numbers: [Float] = random.normal(count)
    try each { context in
      let numbersAgain = try expanded(
        rounded(numbers, precision, context), precision, count: count, context)
      let expected = try numbers.map {
        precision == .float32 ? $0 : try float(bits($0, precision), precision)
      }
      expect(numbersAgain, equals: expected, "on \(context.instructionSet)")
    }
  }
}
