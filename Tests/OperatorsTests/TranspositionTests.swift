import Foundation
import Machine
import Operators
import TestSupport
import Testing

@Suite struct TranspositionTests {
  /// About a square of 64, one task of four squares and many; vectors of numbers in one direction; enough for threads
  /// to be in each other's way.
  static let shapes = [
    (0, 3), (1, 1), (1, 7), (5, 1), (33, 65), (64, 64), (63, 129), (65, 31), (1, 700), (700, 1), (300, 450),
    (1100, 1300),
  ]

  /// Both come against inaccessible pages where they are dense. Rows of y that are apart keep what lies between.
  @Test(arguments: shapes) func forward(rows: Int, columns: Int) throws {
    var random = TestRandom(seed: 44)
    let (before, apart) = (3, 5)
    let stride = before + columns + apart
    let numbers: [Float] = random.normal(rows * stride)
    let results = try everywhere { place in
      let wide = try place.input(numbers)
      let x = Matrix(wide, rows: rows, columns: stride).transposed[before..<before + columns].transposed
      let padded = try place.output(columns * (rows + apart))
      padded.fill(7)
      let dense = try place.output(columns * rows)
      Transposition.forward(
        x, y: Matrix(padded, rows: columns, columns: rows, rowStride: rows + apart), context: place.context)
      Transposition.forward(x, y: Matrix(dense, rows: columns, columns: rows), context: place.context)
      return ["padded": padded.array(), "dense": dense.array()]
    }
    var (padded, dense): ([Float], [Float]) = ([], [])
    for column in 0..<columns {
      let line = (0..<rows).map { numbers[$0 * stride + before + column] }
      dense += line
      padded += line + [Float](repeating: 7, count: apart)
    }
    for (set, outputs) in results {
      expect(outputs["dense"], equals: dense, "on \(set)")
      expect(outputs["padded"], equals: padded, "with gaps on \(set)")
    }
  }

  /// The halves of a tensor of weights.
  @Test func bfloat16() throws {
    let (rows, columns) = (70, 130)
    let numbers = (0..<rows * columns).map { Float($0 % 256) / 8 }
    let halves = try Arena.guardedTensor(shape: [rows, columns], elementType: .bfloat16, edge: .end)
    let expected = (0..<columns).flatMap { column in (0..<rows).map { numbers[$0 * columns + column] } }
    let results = try everywhere { place in
      Conversion.forward(try place.input(numbers), y: halves, context: place.context)
      let y = try place.output(rows * columns)
      let x = Matrix(halves, rows: rows, columns: columns)
      Transposition.forward(x, y: Matrix(y, rows: columns, columns: rows), context: place.context)
      return ["y": y.array()]
    }
    for (set, outputs) in results { expect(outputs["y"], equals: expected, "on \(set)") }
  }

  /// From a file, as checkpoints are read, from an odd place on; numbers that each precision holds, and NaN.
  @Test(arguments: shapes, Precision.allCases) func expanding(shape: (Int, Int), precision: Precision) throws
  {
    let (rows, columns) = shape
    var numbers = (0..<rows * columns).map { Float($0 % 256) / 8 }
    if numbers.count > 4 { numbers[4] = .nan }
    var file = FileBytes()
    if precision == .float32 {
      file.append(numbers)
    } else {
      let format = HalfFormat(precision)
      file.append(numbers.map(format.nearest))
    }
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).bin").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data([0] + file.bytes).write(to: URL(fileURLWithPath: path))
    let mapped = try MappedFile(path: path)
    let results = try everywhere { place in
      let y = try place.output(rows * columns)
      mapped.withBytes(in: 1..<mapped.byteCount) { bytes in
        Transposition.expand(
          bytes, from: precision, y: Matrix(y, rows: columns, columns: rows), context: place.context)
      }
      return ["y": y.array()]
    }
    let expected = (0..<columns).flatMap { column in (0..<rows).map { numbers[$0 * columns + column] } }
    for (set, outputs) in results { expect(outputs["y"], equals: expected, "on \(set)") }
  }
}
