import Machine
import Operators
import Reference
import TestSupport
import Testing

/// Roundings of a term of a product of bfloat16. In pairs: one for each of up to 768 products in its chain, each chain
/// added to those before it, one for the bias or what is accumulated to. In tiles: one for each of up to 16 products in its
/// chain, one where the even and the odd chain meet, one for each link of 32, and one for the bias.
private func pairedRoundings(_ depth: Int, _ order: PairedOrder) -> Int {
  switch order {
  case .pairs: min(depth, 768) + (depth + 767) / 768
  case .tiles: min(depth, 16) + 1 + (depth + 31) / 32 + 1
  }
}

/// An operand is off by up to 2⁻⁸ of itself; a product of two of them, after so many roundings, by this much.
private func pairedError(_ depth: Int, _ order: PairedOrder) -> Double {
  (1 + 0x1p-8) * (1 + 0x1p-8) * (1 + rounded(pairedRoundings(depth, order))) - 1
}

/// An order, and whether what is there is added to.
struct PairedWay: CustomTestStringConvertible, Sendable {
  let order: PairedOrder
  let accumulate: Bool
  var testDescription: String { "\(order)\(accumulate ? ", accumulated" : "")" }

  static let all = PairedOrder.allCases.flatMap { order in
    [false, true].map { PairedWay(order: order, accumulate: $0) }
  }
}

/// The linear layer with operands in bfloat16, in both orders of sums: the bits of plain loops, and near Double.
@Suite struct PairedLinearTests {
  /// Those of float32, and others about a chain (768), a panel (48), a block of columns (384), and of tiles (384 of k, 768
  /// columns); few rows by several panels and chains.
  private static let sizes =
    LinearSize.ragged + [
      LinearSize(9, 767, 49), LinearSize(8, 768, 48), LinearSize(7, 769, 47),
      LinearSize(3, 1537, 50, padding: 1),
      LinearSize(769, 17, 49), LinearSize(5, 3, 769), LinearSize(33, 50, 433),
      LinearSize(1, 1539, 433), LinearSize(2, 2305, 97), LinearSize(4, 770, 145), LinearSize(6, 769, 95),
      LinearSize(8, 1537, 193), LinearSize(10, 770, 97),
    ]

  /// Odd strides, so that pairs lie at addresses that are no multiple of four bytes.
  private static let margin = 3

  @Test(arguments: sizes, PairedOrder.allCases) func forward(_ size: LinearSize, order: PairedOrder) throws {
    let operands = PairedOperands(size)
    let results = try everywhere(order) { place in
      var outputs: Outputs = [:]
      let weight = try place.input(operands.weight).matrix(columns: size.inputs).transposed
      for (name, bias) in [("y", operands.bias), ("y without bias", nil)] {
        let (y, ofNumbers) = (try place.output(size.stridedCount), try place.output(size.stridedCount))
        let rounded = try place.pairedOutput(size.rows * size.outputs)
        func forward(_ weight: PairedOperand, _ y: Tensor) throws {
          try Linear.forward(
            place.operand(operands.x, columns: size.inputs, rowStride: size.inputs + Self.margin),
            weight: weight, bias: bias.map(place.input), y: size.output(y),
            rounded: rounded.matrix(columns: size.outputs), context: place.context)
        }
        try forward(.numbers(weight, order), ofNumbers)
        try forward(.panels(place.panels(weight, order: order)), y)
        expect(ofNumbers.array(), equals: y.array(), "\(name) of a weight that the product rounds")
        outputs[name] = size.inside(y.array())
        outputs["\(name) rounded"] = try place.expanded(rounded)
      }
      return outputs
    }
    for (name, bias) in [("y", operands.bias), ("y without bias", nil)] {
      let expected = ReferenceLinear.pairedForward(
        operands.x, weight: operands.weight, bias: bias, rows: size.rows, inputChannels: size.inputs,
        outputChannels: size.outputs, order: order.reference)
      func double(_ convert: ([Float]) -> [Double]) -> [Double] {
        ReferenceLinear.forward(
          convert(operands.x), weight: convert(operands.weight), bias: bias.map(convert), rows: size.rows,
          inputChannels: size.inputs, outputChannels: size.outputs)
      }
      let bounds = double(magnitudes).map { pairedError(size.inputs, order) * $0 }
      for (set, outputs) in results {
        expect(outputs[name], equals: expected, "\(name) on \(set)")
        expect(outputs[name], near: double(doubles), within: bounds, "\(name) on \(set)")
        expect(
          outputs["\(name) rounded"], equals: expected.map(ReferencePairs.operand),
          "\(name) rounded on \(set)")
      }
    }
  }

  /// What is there is NaN where it must be overwritten.
  @Test(arguments: sizes, PairedWay.all) func backward(_ size: LinearSize, _ way: PairedWay) throws {
    let (order, accumulate) = (way.order, way.accumulate)
    let operands = PairedOperands(size)
    let results = try everywhere(order) { place in
      let weight = try place.input(operands.weight).matrix(columns: size.inputs)
      func backward(_ weight: PairedOperand) throws -> Outputs {
        let dx = try place.output(operands.x.count)
        let dweight = try accumulate ? place.input(operands.dweight) : place.output(operands.weight.count)
        let dbias = try accumulate ? place.input(operands.bias) : place.output(size.outputs)
        try Linear.backward(
          place.operand(operands.dout, columns: size.outputs, rowStride: size.outputs + Self.margin),
          x: place.operand(operands.x, columns: size.inputs, rowStride: size.inputs + Self.margin),
          weight: weight, accumulate: accumulate, dx: dx.matrix(columns: size.inputs),
          dweight: dweight.matrix(columns: size.inputs), dbias: dbias, context: place.context)
        return ["dx": dx.array(), "dweight": dweight.array(), "dbias": dbias.array()]
      }
      let outputs = try backward(.panels(place.panels(weight, order: order)))
      let ofNumbers = try backward(.numbers(weight, order))
      for name in ["dx", "dweight"] {
        expect(
          ofNumbers[name], equals: try #require(outputs[name]), "\(name) of a weight that the product rounds")
      }
      return outputs
    }
    let dx = ReferenceLinear.pairedBackwardInput(
      operands.dout, weight: operands.weight, rows: size.rows, inputChannels: size.inputs,
      outputChannels: size.outputs, order: order.reference)
    let dweight = ReferenceLinear.pairedBackwardWeight(
      operands.dout, input: operands.x, rows: size.rows, inputChannels: size.inputs,
      outputChannels: size.outputs, before: accumulate ? operands.dweight : nil, order: order.reference)
    let (exact, sums) = (
      operands.gradients(accumulate, doubles), operands.gradients(accumulate, magnitudes)
    )
    let columnError = (1 + 0x1p-8) * (1 + rounded(columnRoundings(size.rows))) - 1
    for (set, outputs) in results {
      expect(outputs["dx"], equals: dx, "dx on \(set)")
      expect(outputs["dweight"], equals: dweight, "dweight on \(set)")
      expect(
        outputs["dx"], near: exact.dx, within: sums.dx.map { pairedError(size.outputs, order) * $0 },
        "dx on \(set)")
      expect(
        outputs["dweight"], near: exact.dweight,
        within: sums.dweight.map { pairedError(size.rows, order) * $0 },
        "dweight on \(set)")
      expect(
        outputs["dbias"], near: exact.dbias, within: sums.dbias.map { columnError * $0 }, "dbias on \(set)")
    }
  }

  /// Each epilogue makes of the product what it makes of the same numbers elsewhere, and rounds it once. More than 2048
  /// rows of more than one chain go in parts.
  @Test(
    arguments: [
      LinearSize(5, 19, 49), LinearSize(33, 770, 50), LinearSize(70, 33, 401), LinearSize(2051, 770, 3),
    ], Activation.allCases)
  func epilogues(_ size: LinearSize, _ activation: Activation) throws {
    let operands = PairedOperands(size)
    for order in PairedOrder.allCases {
      _ = try everywhere(order) { place in
        let epilogues = try PairedEpilogues(operands, activation, order, place)
        return try [
          "product": epilogues.product.array(), "sum": epilogues.sum(), "activation": epilogues.activated(),
          "slope": epilogues.slope(),
        ]
      }
    }
  }

  /// B by rows, and A across it: what no layer of the model asks for together with a bias.
  @Test(
    arguments: [(1, 1, 1), (13, 33, 257), (97, 47, 770), (65, 385, 3), (2051, 5, 770)], PairedOrder.allCases)
  func rowsOfB(_ size: (Int, Int, Int), _ order: PairedOrder) throws {
    let (rows, columns, depth) = size
    var random = TestRandom(seed: 11)
    let (a, b, bias): ([Float], [Float], [Float]) = (
      random.normal(rows * depth), random.normal(depth * columns), random.normal(columns)
    )
    let expected = ReferencePairs.product(
      rows: rows, columns: columns, depth: depth, order: order.reference, a: { a[$1 * rows + $0] },
      b: { b[$0 * columns + $1] },
      bias: bias)
    for (set, outputs) in try everywhere(
      order,
      { place in
        let c = try place.output(rows * columns)
        try place.context.perform(
          GEMM.work(
            place.operand(a, columns: rows).transposed, .rows(place.operand(b, columns: columns), order),
            bias: place.input(bias), into: c.matrix(columns: columns), context: place.context))
        return ["c": c.array()]
      })
    {
      expect(outputs["c"], equals: expected, "\(rows) × \(columns) × \(depth) on \(set)")
    }
  }
}

/// What a linear layer takes.
private struct PairedOperands {
  let size: LinearSize
  /// (R, K), (N, K), (N), (R, N), and what is accumulated to (N, K).
  let x, weight, bias, dout, dweight: [Float]

  init(_ size: LinearSize) {
    var random = TestRandom(seed: 7)
    self.size = size
    x = random.normal(size.rows * size.inputs)
    weight = random.normal(size.outputs * size.inputs)
    bias = random.normal(size.outputs)
    dout = random.normal(size.rows * size.outputs)
    dweight = random.normal(size.outputs * size.inputs)
  }

  func gradients(
    _ accumulate: Bool, _ convert: ([Float]) -> [Double]
  ) -> (dx: [Double], dweight: [Double], dbias: [Double]) {
    var dweight = accumulate ? convert(self.dweight) : [Double](repeating: 0, count: weight.count)
    var dbias = accumulate ? convert(bias) : [Double](repeating: 0, count: size.outputs)
    let dx = ReferenceLinear.backward(
      convert(dout), input: convert(x), weight: convert(weight), rows: size.rows, inputChannels: size.inputs,
      outputChannels: size.outputs, dweight: &dweight, dbias: &dbias)
    return (dx, dweight, dbias)
  }
}

/// A product with each epilogue, compared with what the same operator makes of the product elsewhere.
private struct PairedEpilogues {
  let operands: PairedOperands
  let activation: Activation
  let order: PairedOrder
  let place: Place
  /// Without an epilogue.
  let product: Tensor

  init(
    _ operands: PairedOperands, _ activation: Activation, _ order: PairedOrder, _ place: Place
  ) throws {
    (self.operands, self.activation, self.order, self.place) = (operands, activation, order, place)
    product = try place.output(operands.dout.count)
    try forward(nil, product, nil)
  }

  func sum() throws -> [Float] {
    let (y, rounded) = (try output(), try pairedOutput())
    try forward(.add(matrix(place.input(operands.dout))), y, rounded)
    expect(y.array(), equals: zip(product.array(), operands.dout).map { $0 + $1 }, "sum")
    try check(rounded, y.array(), "sum")
    return y.array()
  }

  /// Rows of the activation's output have a stride of their own.
  func activated() throws -> [Float] {
    let (columns, stride) = (operands.size.outputs, operands.size.outputs + 1)
    let (y, kept) = (try output(), try place.halfOutput(operands.dout.count))
    let activated = try place.pairedOutput(operands.size.rows * stride - 1)
    let strided = Matrix(activated, rows: operands.size.rows, columns: columns, rowStride: stride)
    try forward(.activation(activation, output: strided), y, kept)
    expect(y.array(), equals: product.array(), "the product")
    expect(try place.expanded(kept), equals: product.array().map { Float(Float16($0)) }, "what is kept")
    let expected = try output()
    activation.forward(product, y: expected, context: place.context)
    let found = try place.expanded(activated)
    expect(
      found.indices.filter { $0 % stride < columns }.map { found[$0] },
      equals: expected.array().map(ReferencePairs.operand), "activation")
    return found.indices.map { $0 % stride < columns ? found[$0] : 0 }
  }

  func slope() throws -> [Float] {
    let (y, rounded) = (try output(), try pairedOutput())
    let input = operands.dout.map { Float(Float16($0)) }
    try forward(.slope(activation, input: matrix(place.half(operands.dout))), y, rounded)
    let slopes = activation.plain.backward(doubles(product.array()), input: doubles(input))
    let bounds = slopes.indices.map {
      activation.productBound(Double(input[$0]), of: Double(product[$0]), error: 0)
    }
    expect(y.array(), near: slopes, within: bounds, "slope")
    try check(rounded, y.array(), "slope")
    return y.array()
  }

  private func forward(_ epilogue: Epilogue?, _ y: Tensor, _ rounded: Tensor?) throws {
    let inputs = operands.size.inputs
    try Linear.forward(
      place.operand(operands.x, columns: inputs),
      weight: .panels(
        place.panels(place.input(operands.weight).matrix(columns: inputs).transposed, order: order)),
      bias: place.input(operands.bias), y: matrix(y), epilogue: epilogue, rounded: rounded.map(matrix),
      context: place.context)
  }

  private func check(_ rounded: Tensor, _ values: [Float], _ what: String) throws {
    expect(
      try place.expanded(rounded), equals: values.map(ReferencePairs.operand),
      "\(what) rounded on \(place.context.kernels.pairedName(order))")
  }

  private func output() throws -> Tensor { try place.output(operands.dout.count) }
  private func pairedOutput() throws -> Tensor { try place.pairedOutput(operands.dout.count) }
  private func matrix(_ tensor: Tensor) -> Matrix { tensor.matrix(columns: operands.size.outputs) }
}

extension LinearSize {
  /// Takes the padding away, after a look at it: nothing may have been written there.
  fileprivate func inside(_ strided: [Float]) -> [Float] {
    let padding = strided.indices.filter { $0 % stride >= outputs }
    #expect(padding.allSatisfy { strided[$0].isNaN }, "padding was written")
    return strided.indices.filter { $0 % stride < outputs }.map { strided[$0] }
  }
}
