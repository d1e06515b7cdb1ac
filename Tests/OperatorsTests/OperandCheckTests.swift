import Foundation
import Machine
import Operators
import Testing

/// How a process ends at a failed precondition; a bad read would end it otherwise.
#if arch(x86_64)
  private let trap = ExitTest.Condition.signal(SIGILL)
#else
  private let trap = ExitTest.Condition.signal(SIGTRAP)
#endif

private func tensor(_ count: Int) throws -> Tensor { try Arena.guardedTensor(shape: [count]) }

private func matrix(_ rows: Int, _ columns: Int) throws -> Matrix {
  try tensor(rows * columns).matrix(columns: columns)
}

private func paired(_ rows: Int, _ columns: Int) throws -> Matrix {
  try Arena.guardedTensor(shape: [rows * columns], elementType: .bfloat16).matrix(columns: columns)
}

private func half(_ rows: Int, _ columns: Int) throws -> Matrix {
  try Arena.guardedTensor(shape: [rows * columns], elementType: .float16).matrix(columns: columns)
}

private func panels(_ rows: Int, _ columns: Int) throws -> PairedMatrix {
  let count = PairedMatrix.count(rows: rows, columns: columns)
  return try PairedMatrix(
    Arena.guardedTensor(shape: [count], elementType: .bfloat16), rows: rows, columns: columns)
}

private func tokens(_ ids: [Int32], below bound: Int) throws -> BoundedIntegers {
  try BoundedIntegers(ids, below: bound)
}

/// Operands that do not fit are stopped before a kernel sees them: the memory beyond them stays unread.
@Suite struct OperandCheckTests {
  @Test func matrices() async {
    await #expect(processExitsWith: trap, "a matrix that is longer than its tensor") {
      _ = Matrix(try tensor(11), rows: 4, columns: 3)
    }
    await #expect(processExitsWith: trap, "a last row that leaves the tensor") {
      _ = Matrix(try tensor(13), rows: 4, columns: 2, rowStride: 4, offset: 0)
    }
    await #expect(processExitsWith: trap, "rows that overlap") {
      _ = Matrix(try tensor(100), rows: 4, columns: 3, rowStride: 2)
    }
    await #expect(processExitsWith: trap, "one row that is longer than its stride") {
      _ = Matrix(try tensor(100), rows: 1, columns: 3, rowStride: 2)
    }
    await #expect(processExitsWith: trap, "sizes whose product overflows") {
      _ = Matrix(try tensor(100), rows: Int.max, columns: 3, rowStride: Int.max / 2)
    }
    await #expect(processExitsWith: trap, "rows that are not there") { _ = try matrix(4, 3)[2..<5] }
    await #expect(processExitsWith: trap, "arithmetic on bytes") {
      let context = try ExecutionContext(threads: 1)
      let weight = try Arena.guardedTensor(shape: [4, 3], elementType: .int8)
      try Linear.forward(
        matrix(2, 3), weight: weight.matrix(), bias: nil, y: matrix(2, 4), context: context)
    }
  }

  @Test func linear() async {
    await #expect(processExitsWith: trap, "a weight with too few rows") {
      let context = try ExecutionContext(threads: 1)
      try Linear.forward(matrix(2, 3), weight: matrix(3, 3), bias: nil, y: matrix(2, 4), context: context)
    }
    await #expect(processExitsWith: trap, "a weight for other inputs") {
      let context = try ExecutionContext(threads: 1)
      try Linear.forward(matrix(2, 3), weight: matrix(4, 2), bias: nil, y: matrix(2, 4), context: context)
    }
    await #expect(processExitsWith: trap, "an output with too few rows") {
      let context = try ExecutionContext(threads: 1)
      try Linear.forward(matrix(2, 3), weight: matrix(4, 3), bias: nil, y: matrix(1, 4), context: context)
    }
    await #expect(processExitsWith: trap, "a bias that is too short") {
      let context = try ExecutionContext(threads: 1)
      try Linear.forward(
        matrix(2, 3), weight: matrix(4, 3), bias: tensor(3), y: matrix(2, 4), context: context)
    }
    await #expect(processExitsWith: trap, "an epilogue of another layout") {
      let context = try ExecutionContext(threads: 1)
      let wide = try Matrix(tensor(10), rows: 2, columns: 4, rowStride: 5)
      try Linear.forward(
        matrix(2, 3), weight: matrix(4, 3), bias: nil, y: matrix(2, 4), epilogue: .add(wide), context: context
      )
    }
    await #expect(processExitsWith: trap, "a gradient of the bias that is too short") {
      let context = try ExecutionContext(threads: 1)
      try Linear.backward(
        matrix(2, 4), x: matrix(2, 3), weight: matrix(4, 3), accumulate: false, dx: matrix(2, 3),
        dweight: matrix(4, 3), dbias: tensor(3), context: context)
    }
  }

  @Test func productsOfBFloat16() async {
    await #expect(processExitsWith: trap, "panels in a tensor for fewer columns") {
      let tensor = try Arena.guardedTensor(shape: [96], elementType: .bfloat16)
      _ = PairedMatrix(tensor, rows: 2, columns: 49)
    }
    await #expect(processExitsWith: trap, "float32 in place of bfloat16") {
      let context = try ExecutionContext(threads: 1)
      try Linear.forward(
        matrix(2, 3), weight: .panels(panels(3, 4)), bias: nil, y: matrix(2, 4), context: context)
    }
    await #expect(processExitsWith: trap, "the weight of the other pass") {
      let context = try ExecutionContext(threads: 1)
      try Linear.forward(
        paired(2, 3), weight: .panels(panels(4, 3)), bias: nil, y: matrix(2, 4), context: context)
    }
    await #expect(processExitsWith: trap, "a rounded output with too few rows") {
      let context = try ExecutionContext(threads: 1)
      try Linear.forward(
        paired(2, 3), weight: .panels(panels(3, 4)), bias: nil, y: matrix(2, 4), rounded: paired(1, 4),
        context: context)
    }
    await #expect(processExitsWith: trap, "an activation in fewer rows than the product") {
      let context = try ExecutionContext(threads: 1)
      try Linear.forward(
        paired(2, 3), weight: .panels(panels(3, 4)), bias: nil, y: matrix(2, 4),
        epilogue: .activation(.gelu, output: paired(1, 4)), context: context)
    }
    await #expect(processExitsWith: trap, "a slope in fewer rows than the product") {
      let context = try ExecutionContext(threads: 1)
      try Linear.forward(
        paired(2, 3), weight: .panels(panels(3, 4)), bias: nil, y: matrix(2, 4),
        epilogue: .slope(.gelu, input: half(1, 4)), context: context)
    }
    await #expect(processExitsWith: trap, "what an activation was taken of in bfloat16") {
      let context = try ExecutionContext(threads: 1)
      try Linear.forward(
        paired(2, 3), weight: .panels(panels(3, 4)), bias: nil, y: matrix(2, 4),
        epilogue: .activation(.gelu, output: paired(2, 4)), rounded: paired(2, 4), context: context)
    }
    await #expect(processExitsWith: trap, "a slope at float32") {
      let context = try ExecutionContext(threads: 1)
      try Linear.forward(
        paired(2, 3), weight: .panels(panels(3, 4)), bias: nil, y: matrix(2, 4),
        epilogue: .slope(.gelu, input: matrix(2, 4)), context: context)
    }
    await #expect(processExitsWith: trap, "columns of B that are apart") {
      let context = try ExecutionContext(threads: 1)
      _ = try GEMM.work(
        paired(2, 3), .rows(paired(4, 3).transposed, .pairs), into: matrix(2, 4), context: context)
    }
    await #expect(processExitsWith: trap, "panels of another size than what is laid out") {
      let context = try ExecutionContext(threads: 1)
      try OperandLayout.layOut(matrix(3, 4), y: panels(4, 3), context: context)
    }
  }

  @Test func tokensAndTargets() async {
    await #expect(processExitsWith: trap, "tokens that may lie beyond the embedding") {
      let context = try ExecutionContext(threads: 1)
      try Encoder.forward(
        tokens([0, 1], below: 6), wte: matrix(5, 3), wpe: matrix(2, 3), sequenceLength: 2, out: matrix(2, 3),
        context: context)
    }
    await #expect(processExitsWith: trap, "positions that the embedding lacks") {
      let context = try ExecutionContext(threads: 1)
      try Encoder.forward(
        tokens([0, 1], below: 5), wte: matrix(5, 3), wpe: matrix(1, 3), sequenceLength: 2, out: matrix(2, 3),
        context: context)
    }
    await #expect(processExitsWith: trap, "an embedding of fewer channels") {
      let context = try ExecutionContext(threads: 1)
      try Encoder.backward(
        matrix(2, 3), tokens: tokens([0, 1], below: 5), sequenceLength: 2, accumulate: true,
        dwte: matrix(5, 2), dwpe: matrix(2, 3), context: context)
    }
    await #expect(processExitsWith: trap, "targets that may lie in the padding") {
      let context = try ExecutionContext(threads: 1)
      try CrossEntropy.forward(
        Matrix(tensor(8), rows: 1, columns: 5, rowStride: 8), targets: tokens([4], below: 6),
        losses: tensor(1), logSumExp: tensor(1), context: context)
    }
    await #expect(processExitsWith: trap, "a gradient without its last row's padding") {
      let context = try ExecutionContext(threads: 1)
      let logits = try Matrix(tensor(13), rows: 2, columns: 5, rowStride: 8)
      try CrossEntropy.backward(
        logits, targets: tokens([4, 0], below: 5), logSumExp: tensor(2), scale: 1, dlogits: logits,
        context: context)
    }
  }

  @Test func normsAndAttention() async {
    await #expect(processExitsWith: trap, "rows with padding") {
      let context = try ExecutionContext(threads: 1)
      let padded = try Matrix(tensor(8), rows: 2, columns: 3, rowStride: 5)
      try LayerNorm.forward(
        padded, weight: tensor(3), bias: tensor(3), epsilon: 1e-5, y: padded, mean: tensor(2),
        rstd: tensor(2),
        context: context)
    }
    await #expect(processExitsWith: trap, "too few means") {
      let context = try ExecutionContext(threads: 1)
      try LayerNorm.forward(
        matrix(2, 3), weight: tensor(3), bias: tensor(3), epsilon: 1e-5, y: matrix(2, 3), mean: tensor(1),
        rstd: tensor(2),
        context: context)
    }
    await #expect(processExitsWith: trap, "queries and keys without values") {
      let context = try ExecutionContext(threads: 1)
      try Attention.forward(
        matrix(2, 8), shape: AttentionShape(batchSize: 1, sequenceLength: 2, heads: 1, channels: 4),
        out: matrix(2, 4), logSumExp: tensor(2), context: context)
    }
  }

  @Test func scratch() async {
    await #expect(processExitsWith: trap, "attention without room for T") {
      let context = try ExecutionContext(threads: 1)
      // A worker's scratch is whole huge pages of 2^19 floats: one position more than they have floats.
      let length = context.scratch(0).count + 1
      try Attention.forward(
        matrix(length, 3),
        shape: AttentionShape(batchSize: 1, sequenceLength: length, heads: 1, channels: 1),
        out: matrix(length, 1), logSumExp: tensor(length), context: context)
    }
    await #expect(processExitsWith: trap, "attention without room for what several tasks add to dq") {
      let context = try ExecutionContext(threads: 1)
      try context.reserve(sequenceLength: 1000, sharedCount: 1)
      try Attention.backward(
        matrix(1000, 1), qkv: matrix(1000, 3), out: matrix(1000, 1), logSumExp: tensor(1000),
        shape: AttentionShape(batchSize: 1, sequenceLength: 1000, heads: 1, channels: 1),
        dqkv: matrix(1000, 3), context: context)
    }
  }

  @Test func elementwise() async {
    await #expect(processExitsWith: trap, "an activation longer than its operand") {
      let context = try ExecutionContext(threads: 1)
      try Activation.gelu.forward(tensor(7), y: tensor(8), context: context)
    }
    await #expect(processExitsWith: trap, "an activation in float16") {
      let context = try ExecutionContext(threads: 1)
      try Activation.gelu.forward(tensor(8), y: half(1, 8).tensor, context: context)
    }
  }

  @Test func conversions() async {
    await #expect(processExitsWith: trap, "fewer numbers than the file has") {
      let context = try ExecutionContext(threads: 1)
      let y = try tensor(3)
      try MappedFile(path: "/proc/self/exe").withBytes(in: 0..<8) { bytes in
        Conversion.expand(bytes, from: .bfloat16, y: y, context: context)
      }
    }
    await #expect(processExitsWith: trap, "a matrix that is larger than the file's") {
      let context = try ExecutionContext(threads: 1)
      let y = try matrix(2, 2)
      try MappedFile(path: "/proc/self/exe").withBytes(in: 0..<12) { bytes in
        Transposition.expand(bytes, from: .float32, y: y, context: context)
      }
    }
    await #expect(processExitsWith: trap, "a transposed matrix of the shape it had") {
      let context = try ExecutionContext(threads: 1)
      try Transposition.forward(matrix(2, 3), y: matrix(2, 3), context: context)
    }
    await #expect(processExitsWith: trap, "columns that are apart") {
      let context = try ExecutionContext(threads: 1)
      try Transposition.forward(matrix(2, 3).transposed, y: matrix(2, 3), context: context)
    }
  }
}
