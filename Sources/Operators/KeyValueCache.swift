import Machine

/// The keys and values of one layer for several sequences, which attention over one new position reads instead of
/// computing them again.
///
/// For each sequence and head keys lie in blocks of 128 positions, transposed, values row by row.
public struct KeyValueCache {
  public let sequences: Int
  public let heads: Int
  public let headSize: Int
  /// Positions that a sequence may have.
  public let capacity: Int
  /// (S, NH, blocks, hs, 128) and (S, NH, capacity, hs).
  private let keys, values: Tensor

  /// Floats that a cache takes.
  public static func count(sequences: Int, heads: Int, headSize: Int, capacity: Int) -> (
    keys: Int, values: Int
  ) {
    let block = Kernels.attentionBlock
    let columns = (capacity + block - 1) / block * block
    return (sequences * heads * columns * headSize, sequences * heads * capacity * headSize)
  }

  /// - Precondition: `keys` and `values` have as many elements as `count` says.
  public init(
    sequences: Int, heads: Int, headSize: Int, capacity: Int, keys: Tensor, values: Tensor
  ) {
    let count = Self.count(sequences: sequences, heads: heads, headSize: headSize, capacity: capacity)
    precondition(keys.count == count.keys && values.count == count.values, "a cache of \(count) elements")
    self.sequences = sequences
    self.heads = heads
    self.headSize = headSize
    self.capacity = capacity
    self.keys = keys
    self.values = values
  }

  private func part(_ tensor: Tensor, _ sequence: Int, _ head: Int) -> Tensor {
    let size = tensor.count / (sequences * heads)
    let index = sequence * heads + head
    return tensor.slice(index * size..<(index + 1) * size)
  }

  /// Stores what a sequence has at `positions`.
  ///
  /// - Parameter qkv: (positions, 3C): query, key and value side by side, heads side by side in each.
  /// - Complexity: 16 bytes a position and channel.
  public func store(
    _ qkv: Matrix, sequence: Int, positions: Range<Int>, context: ExecutionContext
  ) {
    let channels = heads * headSize
    precondition(
      qkv.columns == 3 * channels && qkv.rows == positions.count, "\(positions) of \(channels) channels")
    precondition(positions.lowerBound >= 0 && positions.upperBound <= capacity && sequence < sequences)
    context.perform(
      Work(count: heads) { head, _ in
        func columns(_ part: Int) -> Range<Int> {
          let first = part * channels + head * headSize
          return first..<first + headSize
        }
        context.kernels.cache(
          qkv.columns(columns(1)), qkv.columns(columns(2)), positions: positions,
          keys: part(keys, sequence, head), values: part(values, sequence, head))
      })
  }

  /// Gives others the first `count` positions of a sequence.
  ///
  /// - Complexity: 16 bytes a position and channel for each.
  public func copy(_ sequence: Int, to others: [Int], count: Int, context: ExecutionContext) {
    precondition((0...capacity).contains(count), "\(count) of \(capacity) positions")
    let block = Kernels.attentionBlock
    let keyCount = (count + block - 1) / block * block * headSize
    context.perform(
      Work(count: others.count * heads) { task, _ in
        let (other, head) = (others[task / heads], task % heads)
        for (tensor, size) in [(keys, keyCount), (values, count * headSize)] {
          part(tensor, other, head).slice(0..<size).copy(from: part(tensor, sequence, head).slice(0..<size))
        }
      })
  }

  /// Attention of each sequence's newest position over all it has: the same bits as `Attention.forward`'s.
  ///
  /// - Parameters:
  ///   - qkv: (S', 3C), a row for each sequence of `rows`.
  ///   - rows: the sequence that each row belongs to.
  ///   - counts: positions of each, the newest one included, which is stored.
  ///   - out: (S', C), overwritten.
  /// - Precondition: the context has reserved scratch.
  /// - Complexity: 4·C FLOP and 8·C bytes a position, in tasks of one head: bound by memory.
  public func attend(
    _ qkv: Matrix, sequences rows: [Int], counts: [Int], out: Matrix, context: ExecutionContext
  ) {
    let channels = heads * headSize
    precondition(qkv.rows == rows.count && counts.count == rows.count && qkv.columns == 3 * channels)
    precondition(out.rows == rows.count && out.columns == channels)
    precondition(
      zip(rows, counts).allSatisfy { (0..<sequences).contains($0) && (1...capacity).contains($1) })
    context.perform(
      Work(count: rows.count * heads) { task, worker in
        let (row, head) = (task / heads, task % heads)
        let columns = head * headSize..<(head + 1) * headSize
        context.kernels.decode(
          qkv[row..<row + 1].columns(columns), keys: part(keys, rows[row], head),
          values: part(values, rows[row], head), count: counts[row], out: out[row..<row + 1].columns(columns),
          scratch: context.scratch(worker))
      })
  }
}
