/// Causal multi-head self-attention whose products multiply bfloat16, in plain loops: where numbers are rounded, and in
/// which order they are added.
///
/// q, k, v, the gradient of the output, and the output where its own gradient is taken, are numbers that bfloat16 holds.
/// Softmax is float32; log Σ exp is of its weights, and the output is divided by the sum of their operands. Queries and keys are taken in blocks of 128. On the diagonal a group of 12 rows leaves out what
/// is masked for all of them; what is masked for some has the weight 0. Dropout takes weights out of the output's sum and
/// not out of the others. Finite numbers only.
public enum ReferencePairedAttention {
  static let blockLength = 128
  static let groupLength = 12
  /// Channels of a chain: pairs of products, as in `ReferencePairs`.
  static let chainLength = 256

  /// A query's place in its block.
  private struct Row {
    let position, block, index, count: Int

    init(_ position: Int, of length: Int) {
      self.position = position
      block = position / blockLength * blockLength
      index = position - block
      count = min(blockLength, length - block)
    }

    /// Keys of the block at `key` that the query sees, and that its group takes.
    func keys(_ key: Int) -> (seen: Int, taken: Int) {
      key == block
        ? (index + 1, min(count, (index / groupLength + 1) * groupLength)) : (blockLength, blockLength)
    }
  }

  /// Rows of a head's queries, keys, values, or gradients of its output: operands.
  struct Rows {
    let values: [Float]
    let columns: Int

    init(_ count: Int, columns: Int, _ row: (Int) -> ArraySlice<Float>) {
      values = (0..<count).flatMap { row($0).map(ReferencePairs.operand) }
      self.columns = columns
    }

    subscript(_ row: Int, _ column: Int) -> Float { values[row * columns + column] }
    var count: Int { values.count / columns }
  }

  /// Sums of products over a range, in pairs from its beginning; an odd last one has a partner of zeros.
  private static func chain(_ range: Range<Int>, _ a: (Int) -> Float, _ b: (Int) -> Float) -> Float {
    var sum: Float = 0
    for i in stride(from: range.lowerBound, to: range.upperBound, by: 2) {
      let odd: (a: Float, b: Float) = i + 1 < range.upperBound ? (a(i + 1), b(i + 1)) : (0, 0)
      sum = ReferencePairs.link(sum, (a(i), odd.a), (b(i), odd.b))
    }
    return sum
  }

  /// x[i]·y[j]ᵀ over the head: chains of 256 channels, added in ascending order.
  private static func score(_ x: Rows, _ i: Int, _ y: Rows, _ j: Int) -> Float {
    var total: Float?
    for start in stride(from: 0, to: x.columns, by: chainLength) {
      let sum = chain(start..<min(x.columns, start + chainLength), { x[i, $0] }, { y[j, $0] })
      total = total.map { $0 + sum } ?? sum
    }
    return total ?? 0
  }

  /// What dropout does to a head's weights.
  struct Mask {
    /// (T, T): 0 or the scale.
    let values: ArraySlice<Float>
    let length: Int
    let scale: Float

    init(_ values: ArraySlice<Float>, length: Int) {
      (self.values, self.length) = (values, length)
      scale = values.max() ?? 1
    }

    func keeps(_ query: Int, _ key: Int) -> Bool { values[values.startIndex + query * length + key] != 0 }
  }

  // MARK: - Forward

  /// (T, hs), float32, and (T): log Σ exp of each row's scaled scores.
  static func forward(
    _ q: Rows, _ k: Rows, _ v: Rows, _ mask: Mask?
  ) -> (output: [Float], logSumExp: [Float]) {
    var (output, logSumExp): ([Float], [Float]) = ([], [])
    for position in 0..<q.count {
      let row = forwardRow(position, q, k, v, mask)
      output += row.output
      logSumExp.append(row.logSumExp)
    }
    return (output, logSumExp)
  }

  private static func forwardRow(
    _ position: Int, _ q: Rows, _ k: Rows, _ v: Rows, _ mask: Mask?
  ) -> (output: [Float], logSumExp: Float) {
    let (row, scale) = (Row(position, of: q.count), ReferenceSoftmax.binaryScale(q.columns))
    var (largest, lanes, pairs) = (Float(0), ReferenceSoftmax.Lanes(), ReferenceSoftmax.Lanes())
    var output: [Float] = []
    for key in stride(from: 0, through: row.block, by: blockLength) {
      let (seen, taken) = row.keys(key)
      let scores = (0..<seen).map { score(q, position, k, key + $0) }
      let (before, block) = (largest, (scores.max() ?? 0) * scale)
      largest = key == 0 ? block : max(before, block)
      let keep = key == 0 ? 0 : ReferenceSoftmax.powerOfTwo(before - largest)
      let weights = scores.map { ReferenceSoftmax.powerOfTwo((-largest).addingProduct($0, scale)) }
      let operands = weights.map(ReferencePairs.operand) + [Float](repeating: 0, count: taken - seen)
      lanes.scale(by: keep)
      pairs.scale(by: keep)
      for (index, weight) in weights.enumerated() { lanes.add(weight, at: index) }
      for index in stride(from: 0, to: seen, by: 2) {
        pairs.add(operands[index], index + 1 < taken ? operands[index + 1] : 0, ofPair: index / 2)
      }
      let kept = operands.indices.map { mask?.keeps(position, key + $0) ?? true ? operands[$0] : 0 }
      let sums = (0..<v.columns).map { d in chain(0..<taken, { kept[$0] }, { v[key + $0, d] }) }
      output = key == 0 ? sums : zip(sums, output).map { $0.addingProduct($1, keep) }
    }
    let inverse = (mask?.scale ?? 1) / pairs.sum
    return (output.map { $0 * inverse }, ReferenceSoftmax.logSumExp(largest: largest, sum: lanes.sum))
  }

  // MARK: - Backward

  /// What the backward pass takes.
  struct Operands {
    let q, k, v, dout, output: Rows
    let logSumExp: [Float]
    let mask: Mask?
  }

  /// dq, dk and dv (T, hs), float32: their operands are the results.
  static func backward(_ operands: Operands) -> [[Float]] {
    let (length, size) = (operands.q.count, operands.q.columns)
    let zeros = [Float](repeating: 0, count: length * size)
    // Over one key the softmax is 1, whatever its score.
    if length == 1 {
      let factor = operands.mask?.values.first ?? 1
      return [zeros, zeros, operands.dout.values.map { $0 * factor }]
    }
    var gradients = [zeros, zeros, zeros]
    for chunk in chunks(length) {
      var dq = zeros
      for key in stride(from: chunk.lowerBound, to: chunk.upperBound, by: blockLength) {
        for query in stride(from: key, to: length, by: blockLength) {
          let block = Block(operands, query: query, key: key)
          block.addKeys(operands, &gradients)
          block.addQueries(operands, isFirst: key == chunk.lowerBound, &dq)
        }
      }
      for index in chunk.lowerBound * size..<dq.count {
        gradients[0][index] = chunk.lowerBound == 0 ? dq[index] : gradients[0][index] + dq[index]
      }
    }
    return gradients
  }

  /// Keys whose parts of dq are added up before they are added to those of earlier keys.
  private static func chunks(_ length: Int) -> [Range<Int>] {
    let quarter = (length + 3) / 4
    let size = max(256, (quarter + blockLength - 1) / blockLength * blockLength)
    return stride(from: 0, to: length, by: size).map { $0..<min(length, $0 + size) }
  }

  /// The weights and the scores' gradients of a block of queries and one of keys, as operands.
  private struct Block {
    let query, key, rows, keys: Int
    private var weights, dscores: [[Float]]

    init(_ operands: Operands, query: Int, key: Int) {
      (self.query, self.key) = (query, key)
      let (length, size) = (operands.q.count, operands.q.columns)
      (rows, keys) = (min(blockLength, length - query), min(blockLength, length - key))
      (weights, dscores) = ([], [])
      let (scale, mask) = (ReferenceSoftmax.scale(size), operands.mask)
      let factor = mask.map { scale * $0.scale } ?? scale
      for position in query..<query + rows {
        var dot = ReferenceSoftmax.Lanes()
        for d in 0..<size { dot.add(operands.dout[position, d], operands.output[position, d], at: d) }
        let shift = -ReferenceSoftmax.log2E * operands.logSumExp[position]
        let (seen, taken) = Row(position, of: length).keys(key)
        let row = (0..<seen).map { index -> (weight: Float, dscore: Float) in
          let weight = ReferenceSoftmax.powerOfTwo(
            shift.addingProduct(
              score(operands.q, position, operands.k, key + index), ReferenceSoftmax.binaryScale(size)))
          let change = score(operands.dout, position, operands.v, key + index)
          let keeps = mask?.keeps(position, key + index) ?? true
          let dscore = weight * (-scale * dot.sum).addingProduct(keeps ? change : 0, factor)
          return (keeps ? weight * (mask?.scale ?? 1) : 0, dscore)
        }
        let masked = [Float](repeating: 0, count: taken - seen)
        weights.append(row.map { ReferencePairs.operand($0.weight) } + masked)
        dscores.append(row.map { ReferencePairs.operand($0.dscore) } + masked)
      }
    }

    /// dk and dv: chains over the block's queries, from the first of the key's group on.
    func addKeys(_ operands: Operands, _ gradients: inout [[Float]]) {
      let size = operands.q.columns
      for index in 0..<keys {
        let range = (query == key ? index / groupLength * groupLength : 0)..<rows
        for d in 0..<size {
          let at = (key + index) * size + d
          let dk = chain(range, { dscores[$0][index] }, { operands.q[query + $0, d] })
          let dv = chain(range, { weights[$0][index] }, { operands.dout[query + $0, d] })
          gradients[1][at] = query == key ? dk : gradients[1][at] + dk
          gradients[2][at] = query == key ? dv : gradients[2][at] + dv
        }
      }
    }

    /// dq: chains over the block's keys, up to the last of the query's group.
    func addQueries(_ operands: Operands, isFirst: Bool, _ dq: inout [Float]) {
      let size = operands.q.columns
      for index in 0..<rows {
        for d in 0..<size {
          let at = (query + index) * size + d
          let sum = chain(0..<dscores[index].count, { dscores[index][$0] }, { operands.k[key + $0, d] })
          dq[at] = isFirst ? sum : dq[at] + sum
        }
      }
    }
  }
}

extension ReferenceAttention {
  private static func rows(
    _ values: [Float], _ shape: Shape, _ b: Int, _ head: Int, part: Int
  ) -> ReferencePairedAttention.Rows {
    .init(shape.sequenceLength, columns: shape.headSize) { t in
      let first = shape.vector(b, t, head: head, part: part)
      return values[first..<first + shape.headSize]
    }
  }

  private static func outputRows(
    _ values: [Float], _ shape: Shape, _ b: Int, _ head: Int
  ) -> ReferencePairedAttention.Rows {
    .init(shape.sequenceLength, columns: shape.headSize) { t in
      let first = shape.output(b, t, head: head)
      return values[first..<first + shape.headSize]
    }
  }

  private static func headMask(
    _ mask: [Float]?, _ shape: Shape, _ b: Int, _ head: Int
  ) -> ReferencePairedAttention.Mask? {
    let (first, length) = (shape.row(b, 0, head: head), shape.sequenceLength)
    return mask.map { .init($0[first..<first + length * length], length: length) }
  }

  /// `forward` of operands in bfloat16: the output (B, T, C), an operand, and log Σ exp (B, NH, T).
  ///
  /// - Parameters:
  ///   - qkv: (B, T, 3C), rounded to operands here.
  ///   - mask: (B, NH, T, T), 0 or one scale, or nil.
  public static func pairedForward(
    _ qkv: [Float], _ shape: Shape, mask: [Float]? = nil
  ) -> (output: [Float], logSumExp: [Float]) {
    var (output, logSumExp) = ([Float](repeating: 0, count: shape.count), [Float]())
    for b in 0..<shape.batchSize {
      for head in 0..<shape.heads {
        let parts = (0..<3).map { rows(qkv, shape, b, head, part: $0) }
        let result = ReferencePairedAttention.forward(
          parts[0], parts[1], parts[2], headMask(mask, shape, b, head))
        logSumExp += result.logSumExp
        for t in 0..<shape.sequenceLength {
          let first = shape.output(b, t, head: head)
          for d in 0..<shape.headSize {
            output[first + d] = ReferencePairs.operand(result.output[t * shape.headSize + d])
          }
        }
      }
    }
    return (output, logSumExp)
  }

  /// `backward` of operands in bfloat16: dqkv (B, T, 3C), operands.
  ///
  /// - Parameters:
  ///   - dout, output: (B, T, C). qkv: (B, T, 3C). All rounded to operands here.
  ///   - mask: that of the forward pass.
  public static func pairedBackward(
    _ dout: [Float], qkv: [Float], output: [Float], logSumExp: [Float], _ shape: Shape, mask: [Float]? = nil
  ) -> [Float] {
    var dqkv = [Float](repeating: 0, count: qkv.count)
    for b in 0..<shape.batchSize {
      for head in 0..<shape.heads {
        let sums = (b * shape.heads + head) * shape.sequenceLength
        let gradients = ReferencePairedAttention.backward(
          .init(
            q: rows(qkv, shape, b, head, part: 0), k: rows(qkv, shape, b, head, part: 1),
            v: rows(qkv, shape, b, head, part: 2), dout: outputRows(dout, shape, b, head),
            output: outputRows(output, shape, b, head),
            logSumExp: Array(logSumExp[sums..<sums + shape.sequenceLength]),
            mask: headMask(mask, shape, b, head)))
        for (part, gradient) in gradients.enumerated() {
          for t in 0..<shape.sequenceLength {
            let first = shape.vector(b, t, head: head, part: part)
            for d in 0..<shape.headSize {
              dqkv[first + d] = ReferencePairs.operand(gradient[t * shape.headSize + d])
            }
          }
        }
      }
    }
    return dqkv
  }
}
