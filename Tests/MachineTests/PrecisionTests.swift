import Machine
import Testing

@Suite struct PrecisionTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// The bits that `AtomicFile` writes for `numbers`.
  private func halves(_ numbers: [Float], _ precision: Precision) throws -> [UInt16] {
    let tensor = try Arena([.init(name: "x", shape: [numbers.count])])["x"]!
    tensor.copy(from: numbers)
    var file = try AtomicFile(path: folder.path("halves"), overwrite: true)
    try file.write(tensor, as: precision)
    try file.commit()
    let mapped = try MappedFile(path: folder.path("halves"))
    #expect(mapped.byteCount == 2 * numbers.count)
    return numbers.indices.map { mapped.read(UInt16.self, at: 2 * $0) }
  }

  private func floats(_ halves: [UInt16], _ precision: Precision) throws -> [Float] {
    // From an odd place on, to see that alignment does not matter.
    let bytes: [UInt8] = [0] + halves.flatMap { half -> [UInt8] in [UInt8(half & 255), UInt8(half >> 8)] }
    let tensor = try Arena([.init(name: "x", shape: [halves.count])])["x"]!
    try MappedFile(path: try folder.write(bytes, to: "x")).copy(
      precision, at: 1, count: halves.count, into: tensor)
    return tensor.array()
  }

  /// Whether no neighbour is nearer, and on a tie the last bit is 0. `infinity` is where the next number would be.
  private func isNearest(
    _ bits: UInt16, to number: Float, infinity: UInt16, value: @escaping (UInt16) -> Double
  )
    -> Bool
  {
    let magnitude = bits & 0x7FFF
    guard (bits >> 15 == 1) == (number.sign == .minus), magnitude <= infinity else { return false }
    let distance = { (bits: UInt16) in abs(value(bits) - Double(number.magnitude)) }
    let neighbours = [magnitude == 0 ? nil : magnitude - 1, magnitude == infinity ? nil : magnitude + 1]
    return neighbours.compactMap { $0 }.allSatisfy {
      distance($0) > distance(magnitude) || distance($0) == distance(magnitude) && magnitude % 2 == 0
    }
  }

  /// All upper halves of finite numbers, each with lower halves about the end, the middle and the other end.
  private static let numbers: [Float] = (0..<0xFFFF).flatMap { upper in
    [0, 1, 0x0FFF, 0x1000, 0x1001, 0x7FFF, 0x8000, 0x8001, 0xFFFF].map { lower in
      Float(bitPattern: UInt32(upper) << 16 | lower)
    }
  }.filter(\.isFinite)

  @Test func bfloat16IsTheNearest() throws {
    let halves = try halves(Self.numbers, .bfloat16)
    let value = { (bits: UInt16) in
      bits == 0x7F80 ? 0x1p128 : Double(Float(bitPattern: UInt32(bits) << 16))
    }
    #expect(
      zip(Self.numbers, halves).allSatisfy { isNearest($1, to: $0, infinity: 0x7F80, value: value) })
  }

  @Test func float16IsTheNearest() throws {
    let halves = try halves(Self.numbers, .float16)
    // By the definition: 10 bits of fraction, an exponent from -14 on.
    let value = { (bits: UInt16) in
      let (exponent, fraction) = (Int(bits >> 10), Double(bits & 0x3FF))
      return exponent == 0
        ? fraction * 0x1p-24 : Double(sign: .plus, exponent: exponent - 25, significand: 1024 + fraction)
    }
    // Beyond the range all are infinity.
    let inRange = zip(Self.numbers, halves).filter { $0.0.magnitude < 0x1p16 }
    #expect(inRange.count > 300_000)
    #expect(inRange.allSatisfy { isNearest($1, to: $0, infinity: 0x7C00, value: value) })
    let beyond = zip(Self.numbers, halves).filter { $0.0.magnitude >= 0x1p16 }
    #expect(beyond.allSatisfy { $1 == ($0.sign == .minus ? 0xFC00 : 0x7C00) })
  }

  /// Every pattern comes back as it was; a NaN as a NaN.
  @Test(arguments: [Precision.bfloat16, .float16])
  func expandingIsExact(precision: Precision) throws {
    let patterns = (0..<65_536).map { UInt16($0) }
    let expanded = try floats(patterns, precision)
    let back = try halves(expanded, precision)
    for (pattern, (number, bits)) in zip(patterns, zip(expanded, back)) {
      if number.isNaN {
        let (exponent, infinity): (UInt16, UInt16) =
          precision == .float16 ? (0x7C00, 0x7C00) : (0x7F80, 0x7F80)
        try #require(pattern & exponent == exponent && bits & 0x7FFF > infinity, "\(pattern) \(bits)")
      } else {
        try #require(bits == pattern, "\(pattern) became \(number)")
      }
    }
    #expect(expanded.count { $0.isInfinite } == 2)
  }

  @Test(arguments: Precision.allCases)
  func transposing(precision: Precision) throws {
    for (rows, columns) in [(1, 1), (1, 7), (5, 1), (33, 65), (64, 32), (31, 100)] {
      let arena = try Arena([
        .init(name: "from", shape: [rows, columns]), .init(name: "to", shape: [columns, rows]),
        .init(name: "again", shape: [columns, rows]),
      ])
      let (from, to, again) = (arena["from"]!, arena["to"]!, arena["again"]!)
      // Below 2¹³ apart by 1/8: all three hold them exactly, up to bfloat16's 8 bits.
      from.copy(from: (0..<rows * columns).map { Float($0 % 256) / 8 })
      var file = try AtomicFile(path: folder.path("matrix"), overwrite: true)
      try file.write([7])
      try file.write(from, as: precision)
      try file.commit()
      let mapped = try MappedFile(path: folder.path("matrix"))
      mapped.copyTransposed(precision, at: 1, rows: rows, columns: columns, into: to)
      again.copyTransposed(from: from, rows: rows, columns: columns)
      for row in 0..<rows {
        for column in 0..<columns {
          try #require(to[column * rows + row] == from[row * columns + column], "\(rows) × \(columns)")
        }
      }
      #expect(again.array() == to.array())
    }
  }

  @Test func comparingBytes() throws {
    let first = try MappedFile(path: try folder.write([1, 2, 3, 4, 5], to: "a"))
    let second = try MappedFile(path: try folder.write([9, 2, 3, 4, 6], to: "b"))
    #expect(first.hasSameBytes(in: 1..<4, as: second, in: 1..<4))
    #expect(!first.hasSameBytes(in: 1..<5, as: second, in: 1..<5))
    #expect(!first.hasSameBytes(in: 1..<4, as: second, in: 1..<3))
    #expect(first.hasSameBytes(in: 5..<5, as: second, in: 0..<0))
  }
}

@Suite struct NewDirectoryTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func whatIsNotKeptGoes() throws {
    do { _ = try NewDirectory(path: folder.path("a")) }
    #expect(try folder.names() == [])
    try NewDirectory(path: folder.path("a")).keep()
    #expect(try folder.names() == ["a"])
    // It was there before.
    do { _ = try NewDirectory(path: folder.path("a")) }
    #expect(try folder.names() == ["a"])
    do {
      let made = try NewDirectory(path: folder.path("b"))
      try folder.write("x", to: "b/x")
      _ = made
    }
    #expect(try folder.names().sorted() == ["a", "b"])
  }

  @Test func whereNoneCanBeMade() throws {
    let file = try folder.write([1], to: "file")
    #expect(throws: FileError.exists(path: file)) { try NewDirectory(path: file).keep() }
    let deep = folder.path("none/deep")
    #expect(throws: FileError.noDirectory(path: deep)) { try NewDirectory(path: deep).keep() }
    #expect(throws: FileError.notFound(path: "a\0b")) { try NewDirectory(path: "a\0b").keep() }
  }
}
