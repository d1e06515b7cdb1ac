import Foundation
import Machine
import Operators
import Reference
import TestSupport
import Testing

@Suite struct CrossEntropyTests {
  struct Size: CustomTestStringConvertible, Sendable {
    let rows, vocabulary, padded: Int
    var testDescription: String { "R \(rows), V \(vocabulary), Vp \(padded)" }

    static let ragged = [
      (1, 1, 1), (1, 2, 3), (2, 15, 16), (3, 16, 16), (5, 17, 32), (19, 31, 31), (8, 33, 48), (63, 131, 256),
      (13, 257, 384), (3, 1009, 1024),
    ].map { Size(rows: $0.0, vocabulary: $0.1, padded: $0.2) }
  }

  /// Logits of a trained model's spread far from 0; one row whose exp underflows almost everywhere, one of equal
  /// logits. Padding is NaN: it must be ignored.
  struct Operands {
    var logits: [Float]
    let targets: [Int32]
    let bounded: BoundedIntegers

    init(_ size: Size) throws {
      var random = TestRandom(seed: 12)
      targets = random.tokens(size.rows - 1, vocabulary: size.vocabulary) + [Int32(size.vocabulary - 1)]
      bounded = try BoundedIntegers(targets, below: size.vocabulary)
      logits = [Float](repeating: .nan, count: size.rows * size.padded)
      for row in 0..<size.rows {
        let deviation = row % 8 == 3 ? 60.0 : row % 8 == 4 ? 0 : 3
        let values: [Float] = random.normal(
          size.vocabulary, deviation: deviation, mean: row % 8 == 5 ? 1000 : -30)
        logits.replaceSubrange(row * size.padded..<row * size.padded + size.vocabulary, with: values)
      }
    }
  }

  private func view(_ logits: Tensor, _ size: Size) -> Matrix {
    Matrix(logits, rows: size.rows, columns: size.vocabulary, rowStride: size.padded)
  }

  /// What one row's exact values are and what each step may lose.
  ///
  ///     x − max rounds once, which exp takes as a factor, and exp has its own error: the sum is off by their average
  ///     over the softmax and by the roundings of a sum in lanes; log and max + log round once each
  private struct Row {
    let logSumExp: Double
    let logSumExpBound: Double

    init(_ logits: [Double]) {
      let maximum = logits.max() ?? 0
      let terms = logits.map { exp($0 - maximum) }
      let sum = terms.reduce(0, +)
      let factors = zip(logits, terms).map { x, term in
        term * (exp(epsilon * (maximum - x)) * (1 + exponentialError) - 1) + underflow
      }
      let ofTerms = factors.reduce(0, +) / sum
      let relative = (1 + ofTerms) * (1 + rounded(laneRoundings(logits.count))) - 1
      // log(1 ± r) ≤ r/(1 − r) in magnitude.
      let ofSum = relative / (1 - relative)
      logSumExp = maximum + log(sum)
      let ofLog = ofSum + epsilon * (log(sum) + ofSum)
      logSumExpBound = ofLog + epsilon * (abs(logSumExp) + ofLog)
    }
  }

  private func rows(_ operands: Operands, _ size: Size) -> [Row] {
    (0..<size.rows).map { row in
      Row(operands.logits[row * size.padded..<row * size.padded + size.vocabulary].map { Double($0) })
    }
  }

  /// The loss subtracts the target's logit: one more rounding.
  @Test(arguments: Size.ragged) func forward(_ size: Size) throws {
    let operands = try Operands(size)
    let results = try everywhere { place in
      let (losses, logSumExp) = (try place.output(size.rows), try place.output(size.rows))
      // Nothing is read beyond the last row's last logit.
      let logits = operands.logits.dropLast(size.padded - size.vocabulary)
      try CrossEntropy.forward(
        view(place.input(Array(logits)), size), targets: operands.bounded, losses: losses,
        logSumExp: logSumExp, context: place.context)
      return ["losses": losses.array(), "logSumExp": logSumExp.array()]
    }
    let rows = rows(operands, size)
    let expected = reference(operands, size).losses
    let bounds = zip(rows, expected).map { $0.logSumExpBound + epsilon * (abs($1) + $0.logSumExpBound) }
    for (set, outputs) in results {
      expect(outputs["losses"], near: expected, within: bounds, "losses on \(set)")
      expect(
        outputs["logSumExp"], near: rows.map(\.logSumExp), within: rows.map(\.logSumExpBound),
        "log Σ exp on \(set)")
    }
  }

  /// p = exp(x − λ) from λ as a float: its rounding and that of x − λ are factors, exp has its own error; the scale
  /// and the target's −scale round once each. Padding becomes 0, also in place.
  @Test(arguments: Size.ragged) func backward(_ size: Size) throws {
    let operands = try Operands(size)
    let logSumExp = rows(operands, size).map { Float($0.logSumExp) }
    let scale: Float = 1 / Float(size.rows)
    let results = try everywhere { place in
      func backward(_ logits: Tensor, to dlogits: Tensor) throws {
        try CrossEntropy.backward(
          view(logits, size), targets: operands.bounded, logSumExp: place.input(logSumExp), scale: scale,
          dlogits: view(dlogits, size), context: place.context)
      }
      let (logits, dlogits) = (try place.input(operands.logits), try place.output(operands.logits.count))
      try backward(logits, to: dlogits)
      try backward(logits, to: logits)
      expect(logits.array(), equals: dlogits.array(), "in place")
      return ["dlogits": dlogits.array()]
    }
    let probabilities = reference(operands, size).probabilities
    let expected = ReferenceCrossEntropy.backward(
      probabilities, targets: operands.targets, rows: size.rows, vocabulary: size.vocabulary,
      paddedVocabulary: size.padded, dloss: Double(scale) * Double(size.rows))
    let bounds = expected.indices.map { index in
      let (row, column) = (index / size.padded, index % size.padded)
      if column >= size.vocabulary { return 0.0 }
      let shift = Double(logSumExp[row])
      let factor = epsilon * (abs(shift) + abs(Double(operands.logits[index]) - shift))
      let relative = exp(factor) * (1 + exponentialError) * (1 + epsilon) - 1
      let error = Double(scale) * probabilities[index] * relative + underflow
      return error + epsilon * (abs(expected[index]) + error)
    }
    for (set, outputs) in results {
      expect(outputs["dlogits"], near: expected, within: bounds, "dlogits on \(set)")
    }
  }

  /// What training runs: the bits of one pass after the other.
  @Test(arguments: Size.ragged) func forwardBackward(_ size: Size) throws {
    let operands = try Operands(size)
    let scale: Float = 1 / Float(size.rows)
    _ = try everywhere { place in
      let (losses, sums) = (try place.output(size.rows), try place.output(size.rows))
      let logits = try place.input(operands.logits)
      CrossEntropy.forward(
        view(logits, size), targets: operands.bounded, losses: losses, logSumExp: sums, context: place.context
      )
      CrossEntropy.backward(
        view(logits, size), targets: operands.bounded, logSumExp: sums, scale: scale,
        dlogits: view(logits, size), context: place.context)
      let (both, bothLosses) = (try place.input(operands.logits), try place.output(size.rows))
      let bothSums = try place.output(size.rows)
      CrossEntropy.forwardBackward(
        view(both, size), targets: operands.bounded, scale: scale, losses: bothLosses, logSumExp: bothSums,
        dlogits: view(both, size), context: place.context)
      expect(both.array(), equals: logits.array(), "dlogits")
      expect(bothLosses.array(), equals: losses.array(), "losses")
      expect(bothSums.array(), equals: sums.array(), "log Σ exp")
      return ["dlogits": both.array()]
    }
  }

  /// The gradient as operands: the float32 one, rounded once, in memory of its own and row by row where logits begin,
  /// whose padding stays as it is.
  @Test(arguments: Size.ragged) func forwardBackwardIntoOperands(_ size: Size) throws {
    let operands = try Operands(size)
    let scale: Float = 1 / Float(size.rows)
    _ = try everywhere { place in
      func gradient(of logits: Tensor, to dlogits: Matrix) throws {
        try CrossEntropy.forwardBackward(
          view(logits, size), targets: operands.bounded, scale: scale, losses: place.output(size.rows),
          logSumExp: place.output(size.rows), dlogits: dlogits, context: place.context)
      }
      func row(_ values: [Float], _ row: Int, stride: Int, columns: Range<Int>) -> [Float] {
        columns.map { values[row * stride + $0] }
      }
      let (exact, apart, within) = (
        try place.input(operands.logits), try place.input(operands.logits), try place.input(operands.logits)
      )
      let rounded = try place.pairedOutput(operands.logits.count)
      let halves = within.reinterpreted(as: .bfloat16, shape: [2 * within.count])
      try gradient(of: exact, to: view(exact, size))
      try gradient(of: apart, to: view(rounded, size))
      try gradient(
        of: within,
        to: Matrix(halves, rows: size.rows, columns: size.vocabulary, rowStride: 2 * size.padded))
      expect(apart.array(), equals: operands.logits, "logits stay")
      let (found, inPlace) = (try place.expanded(rounded), try place.expanded(halves))
      let (inside, padding) = (0..<size.vocabulary, size.vocabulary..<size.padded)
      for index in 0..<size.rows {
        let expected = row(exact.array(), index, stride: size.padded, columns: inside)
          .map(ReferencePairs.operand)
        expect(row(found, index, stride: size.padded, columns: inside), equals: expected, "row \(index)")
        expect(
          row(inPlace, index, stride: 2 * size.padded, columns: inside), equals: expected,
          "row \(index) in place")
        expect(
          row(within.array(), index, stride: size.padded, columns: padding),
          equals: padding.map { _ in Float.nan }, "padding of row \(index)")
      }
      return ["dlogits": found]
    }
  }

  private func reference(_ operands: Operands, _ size: Size) -> ReferenceCrossEntropy.Output<Double> {
    ReferenceCrossEntropy.forward(
      doubles(operands.logits), targets: operands.targets, rows: size.rows, vocabulary: size.vocabulary,
      paddedVocabulary: size.padded)
  }

  /// No number is made up for logits that are none: such a loss stops training.
  @Test(arguments: [Float.nan, .infinity, -.infinity]) func nonFiniteLogits(_ value: Float) throws {
    for set in InstructionSet.available {
      let context = try ExecutionContext(threads: 1, instructionSet: set)
      let place = Place(context, edge: .end)
      defer { place.giveBack() }
      let (losses, logSumExp) = (try place.output(1), try place.output(1))
      try CrossEntropy.forward(
        place.input([1, 2, value, 3]).matrix(columns: 4), targets: BoundedIntegers([2], below: 4),
        losses: losses, logSumExp: logSumExp, context: context)
      #expect(!losses[0].isFinite, "on \(set)")
    }
  }
}
