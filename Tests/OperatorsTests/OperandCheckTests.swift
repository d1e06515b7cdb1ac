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

/// Operands that do not fit are stopped before a kernel sees them: the memory beyond them stays unread.
@Suite struct OperandCheckTests {
  @Test func linear() async {
    await #expect(processExitsWith: trap, "a weight that is too short") {
      let context = try ExecutionContext(threads: 1)
      try Linear.forward(
        tensor(6), weight: tensor(11), bias: nil, rows: 2, inputs: 3, outputs: 4, y: tensor(8),
        context: context)
    }
    await #expect(processExitsWith: trap, "an output that is too short") {
      let context = try ExecutionContext(threads: 1)
      try Linear.forward(
        tensor(6), weight: tensor(12), bias: nil, rows: 2, inputs: 3, outputs: 4, rowStride: 5, y: tensor(8),
        context: context)
    }
  }

  @Test func tokensAndTargets() async {
    await #expect(processExitsWith: trap, "a token beyond the embedding") {
      let context = try ExecutionContext(threads: 1)
      try Encoder.forward(
        [0, 5], wte: tensor(15), wpe: tensor(6), batchSize: 1, sequenceLength: 2, channels: 3, out: tensor(6),
        context: context)
    }
    await #expect(processExitsWith: trap, "a target in the padding") {
      let context = try ExecutionContext(threads: 1)
      try CrossEntropy.forward(
        tensor(8), targets: [5], vocabularySize: 5, paddedVocabularySize: 8, losses: tensor(1),
        logSumExp: tensor(1), context: context)
    }
  }

  @Test func scratch() async {
    await #expect(processExitsWith: trap, "attention without room for T") {
      let context = try ExecutionContext(threads: 1)
      // A worker's scratch is whole huge pages of 2^19 floats: one position more than they have floats.
      let length = context.scratch(0).count + 1
      try Attention.forward(
        tensor(3 * length),
        shape: AttentionShape(batchSize: 1, sequenceLength: length, heads: 1, channels: 1),
        out: tensor(length), logSumExp: tensor(length), context: context)
    }
    await #expect(processExitsWith: trap, "attention without room for what several tasks add to dq") {
      let context = try ExecutionContext(threads: 1)
      try context.reserve(sequenceLength: 1000, sharedCount: 1)
      try Attention.backward(
        tensor(1000), qkv: tensor(3000), out: tensor(1000), logSumExp: tensor(1000),
        shape: AttentionShape(batchSize: 1, sequenceLength: 1000, heads: 1, channels: 1), dqkv: tensor(3000),
        context: context)
    }
  }

  @Test func elementwise() async {
    await #expect(processExitsWith: trap, "a sum longer than its operands") {
      let context = try ExecutionContext(threads: 1)
      try Residual.forward(tensor(8), tensor(7), count: 8, out: tensor(8), context: context)
    }
  }
}
