import Operators
import Reference

/// The readable reference at a reduced size, on one thread: what an operator is measured against.
///
/// Its results are thrown away; its arrays are allocated as its callers allocate them.
struct PlainLoops {
  /// The part of the full work that one run does.
  let share: Double
  let run: () -> Void

  /// The time that the full work would take: the median of three runs, scaled.
  func fullMilliseconds() -> Double {
    run()
    return Timing((0..<3).map { _ in milliseconds(of: run) }).median / share
  }
}

private func numbers(_ count: Int) -> [Float] {
  var generator = Generator(seed: UInt64(count))
  return (0..<count).map { _ in generator.nextFloat() }
}

struct PlainNorm {
  let forward, backward: PlainLoops

  init(rows fullRows: Int, channels: Int) {
    let rows = min(fullRows, 16)
    let share = Double(rows) / Double(fullRows)
    let (x, dout) = (numbers(rows * channels), numbers(rows * channels))
    let (weight, bias) = (numbers(channels), numbers(channels))
    forward = PlainLoops(share: share) {
      _ = ReferenceLayerNorm.forward(x, weight: weight, bias: bias, rows: rows, channels: channels)
    }
    let output = ReferenceLayerNorm.forward(x, weight: weight, bias: bias, rows: rows, channels: channels)
    backward = PlainLoops(share: share) {
      var (dweight, dbias) = (weight, bias)
      _ = ReferenceLayerNorm.backward(
        dout, input: x, weight: weight, mean: output.mean, rstd: output.rstd, rows: rows, channels: channels,
        dweight: &dweight, dbias: &dbias)
    }
  }
}

struct PlainActivation {
  /// The backward pass is that of the second layer and of the activation before it.
  let forward, backward: PlainLoops

  init(rows fullRows: Int, channels: Int) {
    let rows = min(fullRows, 4)
    let share = Double(rows) / Double(fullRows)
    let (x, dout) = (numbers(rows * 4 * channels), numbers(rows * channels))
    let weight = numbers(4 * channels * channels)
    forward = PlainLoops(share: share) { _ = ReferenceGELU.tanh.forward(x) }
    backward = PlainLoops(share: share) {
      let dactivated = ReferenceLinear.backwardInput(
        dout, weight: weight, rows: rows, inputChannels: 4 * channels, outputChannels: channels)
      _ = ReferenceGELU.tanh.backward(dactivated, input: x)
    }
  }
}

struct PlainAttention {
  let forward, backward: PlainLoops

  /// One head of one sequence.
  init(_ shape: AttentionShape) {
    let (sequence, channels) = (shape.sequenceLength, shape.headSize)
    let share = 1 / Double(shape.batchSize * shape.heads)
    let (qkv, dout) = (numbers(sequence * 3 * channels), numbers(sequence * channels))
    forward = PlainLoops(share: share) {
      _ = ReferenceAttention.forward(
        qkv, batchSize: 1, sequenceLength: sequence, channels: channels, heads: 1)
    }
    let output = ReferenceAttention.forward(
      qkv, batchSize: 1, sequenceLength: sequence, channels: channels, heads: 1)
    backward = PlainLoops(share: share) {
      _ = ReferenceAttention.backward(
        dout, qkv: qkv, kept: output, batchSize: 1, sequenceLength: sequence,
        channels: channels,
        heads: 1)
    }
  }
}

struct PlainLoss {
  let forward, backward: PlainLoops

  init(rows fullRows: Int, vocabularySize: Int, paddedVocabularySize: Int) {
    let rows = min(fullRows, 2)
    let share = Double(rows) / Double(fullRows)
    let logits = numbers(rows * paddedVocabularySize)
    let targets = [Int32](repeating: 0, count: rows)
    forward = PlainLoops(share: share) {
      _ = ReferenceCrossEntropy.forward(
        logits, targets: targets, rows: rows, vocabulary: vocabularySize,
        paddedVocabulary: paddedVocabularySize)
    }
    let output = ReferenceCrossEntropy.forward(
      logits, targets: targets, rows: rows, vocabulary: vocabularySize, paddedVocabulary: paddedVocabularySize
    )
    backward = PlainLoops(share: share) {
      _ = ReferenceCrossEntropy.backward(
        output.probabilities, targets: targets, rows: rows, vocabulary: vocabularySize,
        paddedVocabulary: paddedVocabularySize)
    }
  }
}

struct PlainEncoder {
  let forward, backward: PlainLoops

  /// One short sequence over a small vocabulary.
  init(rows fullRows: Int, channels: Int) {
    let (rows, vocabularySize) = (min(fullRows, 64), 64)
    let share = Double(rows) / Double(fullRows)
    let (wte, wpe) = (numbers(vocabularySize * channels), numbers(rows * channels))
    let dout = numbers(rows * channels)
    var generator = Generator(seed: 1)
    let tokens = (0..<rows).map { _ in Int32(generator.next() % UInt64(vocabularySize)) }
    forward = PlainLoops(share: share) {
      _ = ReferenceEncoder.forward(
        tokens, wte: wte, wpe: wpe, batchSize: 1, sequenceLength: rows, channels: channels)
    }
    let (dwte, dwpe) = (Mutable(wte), Mutable(wpe))
    backward = PlainLoops(share: share) {
      ReferenceEncoder.backward(
        dout, tokens: tokens, batchSize: 1, sequenceLength: rows, channels: channels,
        dwte: &dwte.value,
        dwpe: &dwpe.value)
    }
  }
}

enum PlainStream {
  static func adamW(count fullCount: Int) -> PlainLoops {
    let count = min(fullCount, 1 << 20)
    let gradients = numbers(count)
    let zeros = [Float](repeating: 0, count: count)
    let (parameters, first, second) = (Mutable(gradients), Mutable(zeros), Mutable(zeros))
    return PlainLoops(share: Double(count) / Double(fullCount)) {
      ReferenceAdamW<Float>().update(
        gradients: gradients, step: 1, parameters: &parameters.value, firstMoment: &first.value,
        secondMoment: &second.value)
    }
  }
}

/// What a closure changes from run to run, without a copy.
private final class Mutable<Value> {
  var value: Value
  init(_ value: Value) { self.value = value }
}
