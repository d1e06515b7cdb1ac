import Foundation
import Machine
import Operators
import TestSupport
import Testing

/// Against the definitions in `Precision`, bit for bit.
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

  private func bits(_ number: Float, _ precision: Precision) -> UInt16 {
    precision == .bfloat16 ? Precision.bfloat16Bits(number) : Precision.float16Bits(number)
  }

  private func float(_ bits: UInt16, _ precision: Precision) -> Float {
    precision == .bfloat16
      ? Precision.float(bfloat16Bits: bits) : Precision.float(float16Bits: bits)
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
    try MappedFile(path: path).withBytes { file in
      Conversion.expand(file.extracting(1...), from: precision, y: y, context: context)
    }
    return y.array()
  }

  private func each(_ body: (ExecutionContext) throws -> Void) throws {
    for set in InstructionSet.available {
      for threads in [1, 3] {
        try Pool.withContext(set, threads: threads, sequenceLength: 1, sharedCount: 1, body)
      }
    }
  }

  @Test(arguments: [Precision.bfloat16, .float16]) func rounding(_ precision: Precision) throws {
    let expected = Self.floats.map { bits($0, precision) }
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
    let expected = Self.halves.map { float($0, precision) }
    try each { context in
      let numbers = try expanded(bytes, precision, count: expected.count, context)
      expect(numbers, equals: expected, "on \(context.instructionSet)")
    }
  }

  /// Ragged counts, with both operands against inaccessible pages; a tensor's rounding comes back as it was stored.
  @Test(arguments: counts) func betweenTensors(_ count: Int) throws {
    var random = TestRandom(seed: 42)
    let numbers: [Float] = random.normal(count)
    let expected = numbers.map { float(bits($0, .bfloat16), .bfloat16) }
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
      let expected = numbers.map { precision == .float32 ? $0 : float(bits($0, precision), precision) }
      expect(numbersAgain, equals: expected, "on \(context.instructionSet)")
    }
  }
}
