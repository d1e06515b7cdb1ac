import Machine

/// The keys and values of one layer for several sequences, which attention over one new position reads instead of
/// computing them again.
///
/// For each sequence and head keys lie in blocks of 128 positions, transposed, values row by row; in bfloat16, for
/// products of pairs, keys in pairs of channels and values in pairs of positions.
public struct KeyValueCache {
  public let sequences: Int
  public let heads: Int
  public let headSize: Int
  /// Positions that a sequence may have.
  public let capacity: Int
  /// (S, NH, blocks, hs, 128) and (S, NH, capacity, hs); in bfloat16 (S, NH, blocks, ⌈hs/2⌉, 128, 2) and
  /// (S, NH, ⌈capacity/2⌉, hs, 2).
  private let keys, values: Tensor

  /// Elements that a cache takes.
  ///
  /// - Parameter elementType: float32 or bfloat16.
  public static func count(
    sequences: Int, heads: Int, headSize: Int, capacity: Int, _ elementType: ElementType = .float32
  ) -> (keys: Int, values: Int) {
    let (block, unit) = (Kernels.attentionBlock, elementType == .bfloat16 ? 2 : 1)
    func rounded(_ count: Int, _ unit: Int) -> Int { (count + unit - 1) / unit * unit }
    return (
      sequences * heads * rounded(capacity, block) * rounded(headSize, unit),
      sequences * heads * rounded(capacity, unit) * headSize
    )
  }

  /// - Precondition: `keys` and `values` are of one element type and have as many elements as `count` says.
  public init(
    sequences: Int, heads: Int, headSize: Int, capacity: Int, keys: Tensor, values: Tensor
  ) {
    let count = Self.count(
      sequences: sequences, heads: heads, headSize: headSize, capacity: capacity, keys.elementType)
    precondition(
      keys.count == count.keys && values.count == count.values && keys.elementType == values.elementType,
      "a cache of \(count) elements")
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
  /// - Parameter qkv: (positions, 3C), of the cache's element type: query, key and value side by side, heads side by side
  ///   in each.
  /// - Complexity: 16 bytes a position and channel, 8 in bfloat16.
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
  /// - Complexity: as `store` for each.
  public func copy(_ sequence: Int, to others: [Int], count: Int, context: ExecutionContext) {
    precondition((0...capacity).contains(count), "\(count) of \(capacity) positions")
    let size = Self.count(
      sequences: 1, heads: 1, headSize: headSize, capacity: count, keys.elementType)
    context.perform(
      Work(count: others.count * heads) { task, _ in
        let (other, head) = (others[task / heads], task % heads)
        for (tensor, size) in [(keys, size.keys), (values, size.values)] {
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
    context.perform(
      work(qkv, rows, counts, out: out) { task, worker in
        context.kernels.decode(
          task.part(of: qkv), keys: part(keys, rows[task.row], task.head),
          values: part(values, rows[task.row], task.head), count: counts[task.row], out: task.part(of: out),
          scratch: context.scratch(worker))
      })
  }

  /// The same of a cache in bfloat16: the bits of `Attention.forward` over bfloat16.
  ///
  /// - Parameters:
  ///   - qkv: (S', 3C), bfloat16.
  ///   - sums: (S', C), float32: where out is added up; what was there is lost.
  ///   - out: (S', C), bfloat16, overwritten.
  /// - Complexity: 4·C FLOP and 4·C bytes a position.
  public func attend(
    _ qkv: Matrix, sequences rows: [Int], counts: [Int], sums: Matrix, out: Matrix, context: ExecutionContext
  ) {
    precondition(sums.rows == out.rows && sums.columns == out.columns)
    context.perform(
      work(qkv, rows, counts, out: out) { task, worker in
        context.kernels.pairedDecode(
          task.part(of: qkv), keys: part(keys, rows[task.row], task.head),
          values: part(values, rows[task.row], task.head), count: counts[task.row], sums: task.part(of: sums),
          out: task.part(of: out), scratch: context.scratch(worker))
      })
  }

  /// A task of one row and head each, of operands that fit.
  private func work(
    _ qkv: Matrix, _ rows: [Int], _ counts: [Int], out: Matrix,
    _ body: @escaping (_ task: RowAndHead, _ worker: Int) -> Void
  ) -> Work {
    let channels = heads * headSize
    precondition(qkv.rows == rows.count && counts.count == rows.count && qkv.columns == 3 * channels)
    precondition(out.rows == rows.count && out.columns == channels)
    precondition(
      zip(rows, counts).allSatisfy { (0..<sequences).contains($0) && (1...capacity).contains($1) })
    return Work(count: rows.count * heads) { task, worker in
      body(RowAndHead(row: task / heads, head: task % heads, headSize: headSize), worker)
    }
  }

  private struct RowAndHead {
    let row, head, headSize: Int

    /// (1, hs)
    func part(of matrix: Matrix) -> Matrix {
      matrix[row..<row + 1].columns(head * headSize..<(head + 1) * headSize)
    }
  }
}
