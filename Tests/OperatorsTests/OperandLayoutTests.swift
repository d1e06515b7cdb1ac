import Machine
import Operators
import Reference
import TestSupport
import Testing

/// What operands of products of bfloat16 are made of.
@Suite struct OperandLayoutTests {
  /// Every upper half of a float with the lower halves at which rounding changes, each kind of number among them.
  @Test func rounding() throws {
    let lower: [UInt32] = [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF]
    let patterns = (0...UInt32(UInt16.max)).flatMap { upper in lower.map { upper << 16 | $0 } }
    let values = patterns.map(Float.init(bitPattern:))
    let format = HalfFormat(.bfloat16)
    let expected = values.map { value in
      // A zero of its sign where it is no normal number.
      let isSmall = value.magnitude < .leastNormalMagnitude
      return format.value(format.nearest(isSmall ? Float(signOf: value, magnitudeOf: 0) : value))
    }
    #expect(zip(values, expected).allSatisfy { $0.isNaN || $1 == ReferencePairs.operand($0) })
    for (set, outputs) in try everywhere(
      withoutMatrixUnit: true,
      { place in
        let y = try place.pairedOutput(values.count)
        // Rows that end in the middle of a vector.
        try OperandLayout.round(
          place.input(values).matrix(columns: 24), y: y.matrix(columns: 24), context: place.context)
        return ["y": try place.expanded(y)]
      })
    {
      expect(outputs["y"], equals: expected, "\(set)")
    }
  }

  /// By the formula of `PairedMatrix`, from rows and from columns; zeros beyond.
  @Test(arguments: [(1, 1), (2, 48), (3, 49), (16, 47), (17, 16), (33, 95), (50, 97), (31, 15)])
  func panels(_ rows: Int, _ columns: Int) throws {
    var random = TestRandom(seed: 13)
    let values: [Float] = random.normal(rows * columns)
    let pairs = (rows + 1) / 2
    var expected = [Float](repeating: 0, count: (columns + 47) / 48 * pairs * 96)
    for k in 0..<rows {
      for n in 0..<columns {
        expected[n / 48 * pairs * 96 + k / 2 * 96 + n % 48 * 2 + k % 2] = ReferencePairs.operand(
          values[k * columns + n])
      }
    }
    let across = (0..<values.count).map { values[$0 % rows * columns + $0 / rows] }
    for (set, outputs) in try everywhere(
      withoutMatrixUnit: true,
      { place in
        let (matrix, transposed) = (
          try place.input(values).matrix(columns: columns), try place.input(across).matrix(columns: rows)
        )
        // Both layouts of one weight, and the rows that each task is about to read.
        let forward = try place.panels(matrix.transposed)
        let (bothForward, bothBackward) = (
          try place.emptyPanels(columns, rows), try place.emptyPanels(rows, columns)
        )
        place.context.perform(
          OperandLayout.work(
            matrix, forward: bothForward, backward: bothBackward, context: place.context,
            before: { rows, _ in
              for index in rows.lowerBound * columns..<rows.upperBound * columns {
                matrix.tensor[index] = -values[index]
              }
            }))
        expect(
          try place.expanded(bothForward.tensor), equals: try place.expanded(forward.tensor).map(negated),
          "for the forward pass, changed before")
        return [
          "rows": try place.expanded(bothBackward.tensor).map(negated),
          "columns": try place.expanded(place.panels(transposed.transposed).tensor),
        ]
      })
    {
      for name in ["rows", "columns"] { expect(outputs[name], equals: expected, "by \(name) on \(set)") }
    }
  }

  /// The kernels that run name themselves.
  @Test(arguments: InstructionSet.available) func whoMultiplies(_ set: InstructionSet) throws {
    let unit = MatrixUnit.forBFloat16(beside: set)
    let context = try ExecutionContext(threads: 1, instructionSet: set)
    #expect(context.kernels.matrixUnit == unit)
    #expect(context.kernels.pairedName() == unit?.rawValue ?? set.rawValue)
    let without = try ExecutionContext(threads: 1, instructionSet: set, withMatrixUnit: false)
    #expect(without.kernels.matrixUnit == nil && without.kernels.pairedName() == set.rawValue)
    #expect(MatrixUnit.forBFloat16(beside: set, with: []) == nil)
    #expect(
      (MatrixUnit.forBFloat16(beside: set, with: ProcessorFeatures(rawValue: .max)) != nil)
        == (set == .avx512))
  }
}

/// The same number with the other sign; what pads panels stays a positive zero.
private func negated(_ value: Float) -> Float { value == 0 ? 0 : -value }
