import Machine
import Operators
import Reference
import TestSupport
import Testing

@Suite struct LayerNormTests {
  struct Size: CustomTestStringConvertible, Sendable {
    let rows, channels: Int
    var testDescription: String { "R \(rows), C \(channels)" }

    /// 32 rows are summed in a block, 128 blocks in another: 4129 rows are more than both.
    static let ragged = [
      (1, 1), (2, 2), (3, 15), (7, 16), (8, 17), (9, 31), (31, 33), (32, 12), (33, 63), (63, 64), (64, 65),
      (65, 131), (19, 257), (5, 768), (131, 19), (257, 7), (4129, 3),
    ].map { Size(rows: $0.0, channels: $0.1) }
  }

  /// An average of ten deviations, which a variance taken as E[x²] − E[x]² would not survive.
  struct Operands {
    let x, weight, bias, dout: [Float]

    init(_ size: Size, seed: UInt64) {
      var random = TestRandom(seed: seed)
      x = random.normal(size.rows * size.channels, mean: 10)
      weight = random.normal(size.channels, mean: 1)
      bias = random.normal(size.channels)
      dout = random.normal(size.rows * size.channels)
    }
  }

  /// GPT-2's ε, and one that is no smaller than the variance.
  @Test(arguments: Size.ragged, [1e-5, 2]) func forward(_ size: Size, epsilon: Double) throws {
    let operands = Operands(size, seed: 7)
    let results = try everywhere { place in
      let y = try place.output(operands.x.count)
      let (mean, rstd) = (try place.output(size.rows), try place.output(size.rows))
      try LayerNorm.forward(
        place.input(operands.x).matrix(columns: size.channels), weight: place.input(operands.weight),
        bias: place.input(operands.bias), epsilon: Float(epsilon),
        y: y.matrix(columns: size.channels), mean: mean, rstd: rstd,
        context: place.context)
      let rounded = try place.pairedOutput(operands.x.count)
      try LayerNorm.forward(
        place.input(operands.x).matrix(columns: size.channels), weight: place.input(operands.weight),
        bias: place.input(operands.bias), epsilon: Float(epsilon),
        y: rounded.matrix(columns: size.channels),
        mean: place.output(size.rows), rstd: place.output(size.rows), context: place.context)
      expect(
        try place.expanded(rounded), equals: y.array().map(ReferencePairs.operand),
        "y in bfloat16, rounded once")
      return ["y": y.array(), "mean": mean.array(), "rstd": rstd.array()]
    }
    let expected = ReferenceLayerNorm.forward(
      doubles(operands.x), weight: doubles(operands.weight), bias: doubles(operands.bias), rows: size.rows,
      channels: size.channels, epsilon: Double(Float(epsilon)))
    let bounds = ForwardBounds(operands, size, expected)
    for (set, outputs) in results {
      expect(outputs["mean"], near: expected.mean, within: bounds.mean, "mean on \(set)")
      expect(outputs["rstd"], near: expected.rstd, within: bounds.rstd, "rstd on \(set)")
      expect(outputs["y"], near: expected.output, within: bounds.y, "y on \(set)")
    }
  }

  /// With hats for what is computed:
  ///
  ///     |μ̂ − μ| ≤ δμ, the sum's roundings and the division's of mean|x|
  ///     Σ(x − μ̂)²/C = σ² + (μ̂ − μ)²; x − μ̂ is rounded once and squared, then the sum, the division, + ε
  ///     |v̂ − v| ≤ r·v for v = σ² + ε, itself rounded once; ρ̂: √ and division round once each
  ///     n̂ = (x − μ̂)·ρ̂ rounds twice and is off by δμ·ρ; ŷ = n̂·weight + bias rounds once
  private struct ForwardBounds {
    var mean: [Double] = []
    var rstd: [Double] = []
    var y: [Double] = []

    init(_ operands: Operands, _ size: Size, _ exact: ReferenceLayerNorm.Output<Double>) {
      let count = Double(size.channels)
      for row in 0..<size.rows {
        let x = operands.x[row * size.channels..<(row + 1) * size.channels].map { Double($0) }
        let meanError = rounded(laneRoundings(size.channels) + 1) * x.reduce(0) { $0 + abs($1) } / count
        let rstd = exact.rstd[row]
        let deviation = 1 / (rstd * rstd)
        let moved = deviation + meanError * meanError
        let variance =
          (meanError * meanError + rounded(2 + laneRoundings(size.channels) + 2) * moved) / deviation
        let relative = (1 + rounded(2)) / (1 - variance).squareRoot() - 1
        mean.append(meanError)
        self.rstd.append(relative * rstd)
        for c in 0..<size.channels {
          let normalised = abs(x[c] - exact.mean[row]) * rstd
          let factor = (1 + rounded(2)) * (1 + relative)
          let error =
            abs(Double(operands.weight[c])) * (normalised * (factor - 1) + meanError * rstd * factor)
          y.append(error + epsilon * (abs(exact.output[row * size.channels + c]) + error))
        }
      }
    }
  }

  @Test(arguments: Size.ragged, [false, true]) func backward(_ size: Size, accumulate: Bool) throws {
    let operands = Operands(size, seed: 8)
    var random = TestRandom(seed: 9)
    let before: [[Float]] = [operands.x.count, size.channels, size.channels].map { random.normal($0) }
    let kept = ReferenceLayerNorm.forward(
      doubles(operands.x), weight: doubles(operands.weight), bias: doubles(operands.bias), rows: size.rows,
      channels: size.channels)
    let (mean, rstd) = (kept.mean.map { Float($0) }, kept.rstd.map { Float($0) })
    let scratch = LayerNorm.sharedScratchCount(rows: size.rows, channels: size.channels)
    let results = try everywhere(sharedCount: scratch) { place in
      let (dx, rounded) = (try place.input(before[0]), try place.pairedOutput(before[0].count))
      let dweight = try accumulate ? place.input(before[1]) : place.output(size.channels)
      let dbias = try accumulate ? place.input(before[2]) : place.output(size.channels)
      try LayerNorm.backward(
        place.input(operands.dout).matrix(columns: size.channels),
        x: place.input(operands.x).matrix(columns: size.channels), weight: place.input(operands.weight),
        mean: place.input(mean), rstd: place.input(rstd), accumulate: accumulate,
        dx: dx.matrix(columns: size.channels), rounded: rounded.matrix(columns: size.channels),
        dweight: dweight, dbias: dbias, context: place.context)
      expect(
        try place.expanded(rounded), equals: dx.array().map(ReferencePairs.operand), "dx in bfloat16")
      return ["dx": dx.array(), "dweight": dweight.array(), "dbias": dbias.array()]
    }
    let start = accumulate ? before : [before[0], [], []]
    let expected = Gradients(operands, size, mean: mean, rstd: rstd, before: start)
    for (set, outputs) in results {
      expect(outputs["dx"], near: expected.dx, within: expected.dxBound, "dx on \(set)")
      expect(outputs["dweight"], near: expected.dweight, within: expected.dweightBound, "dweight on \(set)")
      expect(outputs["dbias"], near: expected.dbias, within: expected.dbiasBound, "dbias on \(set)")
    }
  }

  /// The oracle's gradients and what may be lost: n = (x − μ)·ρ rounds twice, g = dout·weight once; the averages are
  /// sums in lanes and a division; dx = (g − ⟨g⟩ − n·⟨g·n⟩)·ρ + dx subtracts twice, multiplies once and ends in one
  /// multiply-add. The sums over rows are chains of up to 32, then sums over the blocks.
  private struct Gradients {
    var dx, dweight, dbias: [Double]
    var dxBound: [Double] = []
    let dweightBound, dbiasBound: [Double]

    init(_ operands: Operands, _ size: Size, mean: [Float], rstd: [Float], before: [[Float]]) {
      let (rows, channels) = (size.rows, size.channels)
      let zeros = [Double](repeating: 0, count: channels)
      func start(_ values: [Float]) -> [Double] { values.isEmpty ? zeros : doubles(values) }
      (dweight, dbias) = (start(before[1]), start(before[2]))
      let through = ReferenceLayerNorm.backward(
        doubles(operands.dout), input: doubles(operands.x), weight: doubles(operands.weight),
        mean: doubles(mean),
        rstd: doubles(rstd), rows: rows, channels: channels, dweight: &dweight, dbias: &dbias)
      dx = zip(through, before[0]).map { $0 + Double($1) }
      var (weightSums, biasSums) = (start(before[1]).map(abs), start(before[2]).map(abs))
      for row in 0..<rows {
        let scale = Double(rstd[row])
        var (g, n) = (zeros, zeros)
        for c in 0..<channels {
          let index = row * channels + c
          n[c] = (Double(operands.x[index]) - Double(mean[row])) * scale
          g[c] = Double(operands.dout[index]) * Double(operands.weight[c])
          weightSums[c] += abs(Double(operands.dout[index]) * n[c])
          biasSums[c] += abs(Double(operands.dout[index]))
        }
        dxBound += Self.rowBound(g, n, scale: scale, dx: dx[row * channels..<(row + 1) * channels])
      }
      let overRows = min(rows, 32) + columnRoundings((rows + 31) / 32)
      dweightBound = weightSums.map { rounded(overRows + 2) * $0 }
      dbiasBound = biasSums.map { rounded(overRows) * $0 }
    }

    private static func rowBound(_ g: [Double], _ n: [Double], scale: Double, dx: ArraySlice<Double>)
      -> [Double]
    {
      let count = Double(g.count)
      let average = g.reduce(0, +) / count
      let averageOfProduct = zip(g, n).reduce(0) { $0 + $1.0 * $1.1 } / count
      let averageError = rounded(1 + laneRoundings(g.count) + 1) * g.reduce(0) { $0 + abs($1) } / count
      let productError =
        rounded(3 + laneRoundings(g.count) + 1) * zip(g, n).reduce(0) { $0 + abs($1.0 * $1.1) } / count
      return zip(zip(g, n), dx).map { operands, dx in
        let (g, n) = (abs(operands.0), abs(operands.1))
        let error =
          g * rounded(3) + abs(average) * rounded(2) + averageError * (1 + rounded(2))
          + n * abs(averageOfProduct) * rounded(4) + n * productError * (1 + rounded(4))
        return scale * error + epsilon * (abs(dx) + scale * error)
      }
    }
  }
}
