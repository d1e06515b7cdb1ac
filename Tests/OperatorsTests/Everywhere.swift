import Machine
import Operators
import TestSupport
import Testing

/// The outputs of one run by name.
typealias Outputs = [String: [Float]]

/// One instruction set and number of threads, with operands against inaccessible pages.
final class Place {
  let context: ExecutionContext
  private let edge: GuardEdge
  private var pages: [Tensor] = []

  init(_ context: ExecutionContext, edge: GuardEdge) {
    self.context = context
    self.edge = edge
  }

  /// Ends the use of all this place's operands.
  func giveBack() {
    Pool.giveBack(pages)
    pages = []
  }

  /// A tensor with these values.
  func input(_ values: [Float]) throws -> Tensor {
    let tensor = try output(values.count)
    tensor.copy(from: values)
    return tensor
  }

  /// A tensor that holds NaN, so that an operator that reads what it should overwrite shows it.
  func output(_ count: Int) throws -> Tensor {
    let tensor = try take(count, .float32)
    tensor.fill(.nan)
    return tensor
  }

  /// The same in bfloat16.
  func pairedOutput(_ count: Int) throws -> Tensor {
    let tensor = try take(count, .bfloat16)
    try Conversion.forward(output(count), y: tensor, context: context)
    return tensor
  }

  /// The same in float16.
  func halfOutput(_ count: Int) throws -> Tensor { try half([Float](repeating: .nan, count: count)) }

  /// A tensor with these values in float16.
  func half(_ values: [Float]) throws -> Tensor {
    let tensor = try take(values.count, .float16)
    try Conversion.forward(input(values), y: tensor, context: context)
    return tensor
  }

  /// A matrix of operands of products of bfloat16; what lies between its rows is NaN.
  func operand(_ values: [Float], columns: Int, rowStride: Int? = nil) throws -> Matrix {
    let (rows, stride) = (values.count / columns, rowStride ?? columns)
    let tensor = try pairedOutput((rows - 1) * stride + columns)
    let matrix = Matrix(tensor, rows: rows, columns: columns, rowStride: stride)
    try OperandLayout.round(input(values).matrix(columns: columns), y: matrix, context: context)
    return matrix
  }

  /// Room for a matrix in pairs; what is there is NaN.
  func emptyPanels(_ rows: Int, _ columns: Int, order: PairedOrder = .pairs) throws -> PairedMatrix {
    PairedMatrix(
      try pairedOutput(PairedMatrix.count(rows: rows, columns: columns)), rows: rows, columns: columns,
      order: order)
  }

  /// A matrix laid out in pairs.
  func panels(_ x: Matrix, order: PairedOrder = .pairs) throws -> PairedMatrix {
    let panels = try emptyPanels(x.rows, x.columns, order: order)
    OperandLayout.layOut(x, y: panels, context: context)
    return panels
  }

  /// The elements of a tensor in bfloat16 or float16.
  func expanded(_ tensor: Tensor) throws -> [Float] {
    let expanded = try output(tensor.count)
    Conversion.forward(tensor, y: expanded, context: context)
    return expanded.array()
  }

  private func take(_ count: Int, _ elementType: ElementType) throws -> Tensor {
    let whole = try Pool.takePages(count, elementType)
    pages.append(whole)
    let start = edge == .end ? whole.count - count : 0
    return whole.slice(start..<start + count, name: "operand")
  }

  /// A linear layer of one row whose products are 1 times each of `values`, and so exact: what its epilogue makes of
  /// them, in y (1, count).
  func product(_ values: [Float], y: Tensor, epilogue: Epilogue) throws {
    try Linear.forward(
      input([1]).matrix(columns: 1), weight: input(values).matrix(columns: 1), bias: nil,
      y: y.matrix(columns: values.count), epilogue: epilogue, context: context)
  }

  /// The same in the backward pass: dx (1, count).
  func gradientProduct(_ values: [Float], dx: Tensor, epilogue: Epilogue) throws {
    let count = values.count
    try Linear.backward(
      input([1]).matrix(columns: 1), x: input(values).matrix(columns: count),
      weight: input(values).matrix(columns: count), accumulate: false, dx: dx.matrix(columns: count),
      epilogue: epilogue, dweight: output(count).matrix(columns: count), dbias: nil, context: context)
  }
}

/// Runs `body` with every available instruction set on 1, 2 and 3 threads and expects the same bits of all of them.
///
/// Before each run all scratch holds NaN. Operands begin right after an inaccessible page where the number of
/// threads is even, and end right before one where it is odd.
///
/// - Parameters:
///   - withoutMatrixUnit: whether sets beside which there is a unit for bfloat16 run without it, too.
///   - tiles: whether every set runs without AMX, and AVX-512 with it, too, emulated where the machine has none.
/// - Returns: each instruction set's outputs, to be compared with the reference.
func everywhere(
  sequenceLength: Int = 1, sharedCount: Int = 1, withoutMatrixUnit: Bool = false, tiles: Bool = false,
  sourceLocation: SourceLocation = #_sourceLocation, _ body: (Place) throws -> Outputs
) throws -> [(set: InstructionSet, outputs: Outputs)] {
  var results: [(set: InstructionSet, outputs: Outputs)] = []
  let machines = InstructionSet.available.flatMap { set in
    let units = withoutMatrixUnit && MatrixUnit.forBFloat16(beside: set) != nil ? [false, true] : [true]
    let tileUnits: [TileUnit?] = tiles ? TileUnit.all(beside: set) : [nil]
    return units.flatMap { unit in tileUnits.map { (set, unit, $0) } }
  }
  for (set, withMatrixUnit, tileUnit) in machines {
    for threads in 1...3 {
      let outputs = try Pool.withContext(
        set, withMatrixUnit: withMatrixUnit, tileUnit: tileUnit, threads: threads,
        sequenceLength: sequenceLength, sharedCount: sharedCount
      ) { context in
        let place = Place(context, edge: threads % 2 == 0 ? .start : .end)
        defer { place.giveBack() }
        return try body(place)
      }
      for (name, expected) in results.first?.outputs ?? [:] {
        let difference = firstDifferentBits(try #require(outputs[name]), expected)
        #expect(
          difference == nil, "\(name) on \(set) with \(threads) threads", sourceLocation: sourceLocation)
      }
      if threads == 1 { results.append((set, outputs)) }
    }
  }
  return results
}

/// The same for products of bfloat16 that are summed in an order: each set's own multiply-adds, and each unit.
func everywhere(
  _ order: PairedOrder, sourceLocation: SourceLocation = #_sourceLocation, _ body: (Place) throws -> Outputs
) throws -> [(set: InstructionSet, outputs: Outputs)] {
  try everywhere(
    withoutMatrixUnit: order == .pairs, tiles: order == .tiles, sourceLocation: sourceLocation, body)
}

/// Expects every element within its own bound.
func expect(
  _ actual: [Float]?, near expected: [Double], within bounds: [Double], _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let excess = worstExcess(actual ?? [], expected, bounds: bounds)
  #expect(excess == nil, "\(what)", sourceLocation: sourceLocation)
}

/// Expects the same bits.
func expect(
  _ actual: [Float]?, equals expected: [Float], _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let difference = firstDifferentBits(actual ?? [], expected)
  #expect(difference == nil, "\(what)", sourceLocation: sourceLocation)
}
