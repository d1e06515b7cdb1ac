// The only file of this room that holds unsafe memory: it checks that an operand's tensor holds the range that a
// kernel will touch, and hands the kernel its pointer. Tasks of one parallel region write disjoint ranges; the
// operators that call these see to that.

import CKernels
import Machine

/// One instruction set's table of kernels.
@safe package struct Kernels: @unchecked Sendable {
  // Points to a constant of the C target, alive as long as the process.
  private let table: ck_kernels

  init?(for set: InstructionSet) {
    let pointer =
      switch set {
      case .portable: unsafe ck_kernels_portable()
      case .avx2: unsafe ck_kernels_avx2()
      case .avx512: unsafe ck_kernels_avx512()
      }
    guard let pointer = unsafe pointer else { return nil }
    unsafe table = unsafe pointer.pointee
  }

  package var name: String { unsafe String(cString: table.name) }
  var tileRows: Int { unsafe Int(table.mr) }
  var tileColumns: Int { unsafe Int(table.nr) }

  /// Floats of scratch that any kernel needs, for attention over at most `sequenceLength` positions.
  func scratchCount(sequenceLength: Int) -> Int { unsafe table.attention_scratch(sequenceLength) }

  static let attentionBlock = CK_ATTENTION_BLOCK
  static let attentionQueries = CK_ATTENTION_QUERIES
  static let normBlock = CK_NORM_BLOCK
  static let gemmChain = CK_KC
  static let gemmColumns = CK_GEMM_COLUMNS
  static let gemmManyRows = CK_GEMM_MANY_ROWS
  static let lanes = CK_LANES
}

/// A matrix inside a tensor: element (row, column) lies at offset + row·rowStride + column·columnStride.
package struct Matrix {
  let tensor: Tensor
  let offset: Int
  let rowStride: Int
  let columnStride: Int

  package init(_ tensor: Tensor, offset: Int = 0, rowStride: Int, columnStride: Int = 1) {
    self.tensor = tensor
    self.offset = offset
    self.rowStride = rowStride
    self.columnStride = columnStride
  }

  /// The same elements with rows and columns exchanged.
  package var transposed: Matrix {
    Matrix(tensor, offset: offset, rowStride: columnStride, columnStride: rowStride)
  }

  fileprivate func pointer(_ rows: Range<Int>, _ columns: Range<Int>) -> UnsafeMutablePointer<Float> {
    let first = offset + rows.lowerBound * rowStride + columns.lowerBound * columnStride
    let last = offset + (rows.upperBound - 1) * rowStride + (columns.upperBound - 1) * columnStride
    precondition(
      first >= 0 && last < tensor.count && !rows.isEmpty && !columns.isEmpty, "matrix leaves \(tensor.name)")
    return unsafe tensor.pointer + first
  }
}

extension Tensor {
  /// The address of elements `range`, which must lie inside.
  fileprivate func pointer(_ range: Range<Int>) -> UnsafeMutablePointer<Float> {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= count, "range \(range) leaves \(name) of \(count)")
    return unsafe pointer + range.lowerBound
  }

  fileprivate func rows(_ rows: Range<Int>, of width: Int) -> UnsafeMutablePointer<Float> {
    unsafe pointer(rows.lowerBound * width..<rows.upperBound * width)
  }
}

extension Kernels {
  /// C[rows, columns] (+)= A·B + bias, then the epilogue; A is (M, K), B is (K, N).
  func gemm(
    _ a: Matrix, _ b: Matrix, bias: Tensor?, rows: Range<Int>, columns: Range<Int>, depth: Int,
    accumulate: Bool,
    into c: Matrix, epilogue: Epilogue?, scratch: Tensor
  ) {
    precondition(c.columnStride == 1 && (a.rowStride == 1 || a.columnStride == 1))
    precondition(b.rowStride == 1 || b.columnStride == 1)
    precondition(epilogue == nil || c.offset == 0, "an epilogue's tensors are laid out as C from its start")
    precondition(unsafe scratch.count >= table.gemm_scratch)
    var arguments = unsafe ck_gemm()
    unsafe arguments.a = UnsafePointer(a.pointer(rows, 0..<depth))
    unsafe arguments.a_row = a.rowStride
    unsafe arguments.a_k = a.columnStride
    unsafe arguments.b = UnsafePointer(b.pointer(0..<depth, columns))
    unsafe arguments.b_k = b.rowStride
    unsafe arguments.b_col = b.columnStride
    unsafe arguments.c = c.pointer(rows, columns)
    unsafe arguments.ldc = c.rowStride
    unsafe arguments.m = rows.count
    unsafe arguments.n = columns.count
    unsafe arguments.k = depth
    if let bias { unsafe arguments.bias = UnsafePointer(bias.pointer(columns)) }
    unsafe arguments.accumulate = accumulate ? 1 : 0
    func part(_ tensor: Tensor) -> UnsafeMutablePointer<Float> {
      unsafe Matrix(tensor, rowStride: c.rowStride).pointer(rows, columns)
    }
    switch epilogue {
    case nil: break
    case .add(let tensor):
      unsafe arguments.epilogue = CK_ADD
      unsafe arguments.operand = UnsafePointer(part(tensor))
    case .activation(let activation, let output):
      unsafe arguments.epilogue = activation == .gelu ? CK_GELU : CK_GELU_QUINTIC
      unsafe arguments.result = part(output)
    case .slope(let activation, let input):
      unsafe arguments.epilogue = activation == .gelu ? CK_GELU_SLOPE : CK_GELU_QUINTIC_SLOPE
      unsafe arguments.operand = UnsafePointer(part(input))
    }
    unsafe table.gemm(&arguments, scratch.pointer)
  }

  func layerNormForward(
    _ x: Tensor, weight: Tensor, bias: Tensor, rows: Range<Int>, channels: Int, y: Tensor, mean: Tensor,
    rstd: Tensor
  ) {
    unsafe table.layer_norm_forward(
      x.rows(rows, of: channels), weight.pointer(0..<channels), bias.pointer(0..<channels), rows.count,
      channels,
      y.rows(rows, of: channels), mean.pointer(rows), rstd.pointer(rows))
  }

  /// The sums over these rows go to rows `block` of the two partial tensors.
  func layerNormBackward(
    _ dout: Tensor, _ x: Tensor, weight: Tensor, mean: Tensor, rstd: Tensor, rows: Range<Int>, channels: Int,
    block: Int, dx: Tensor, dweightPartial: Tensor, dbiasPartial: Tensor
  ) {
    unsafe table.layer_norm_backward(
      dout.rows(rows, of: channels), x.rows(rows, of: channels), weight.pointer(0..<channels),
      mean.pointer(rows),
      rstd.pointer(rows), rows.count, channels, dx.rows(rows, of: channels),
      dweightPartial.rows(block..<block + 1, of: channels), dbiasPartial.rows(block..<block + 1, of: channels)
    )
  }

  func activationForward(_ activation: Activation, _ x: Tensor, range: Range<Int>, y: Tensor) {
    let kernel = unsafe activation == .gelu ? table.gelu_forward : table.gelu_quintic_forward
    unsafe kernel!(x.pointer(range), range.count, y.pointer(range))
  }

  func activationBackward(
    _ activation: Activation, _ x: Tensor, _ dout: Tensor, range: Range<Int>, dx: Tensor
  ) {
    let kernel = unsafe activation == .gelu ? table.gelu_backward : table.gelu_quintic_backward
    unsafe kernel!(x.pointer(range), dout.pointer(range), range.count, dx.pointer(range))
  }

  func add(_ a: Tensor, _ b: Tensor, range: Range<Int>, out: Tensor) {
    unsafe table.add(a.pointer(range), b.pointer(range), range.count, out.pointer(range))
  }

  func zero(_ tensor: Tensor, range: Range<Int>) {
    unsafe tensor.pointer(range).update(repeating: 0, count: range.count)
  }

  func columnSum(
    _ x: Tensor, rows: Int, columns: Range<Int>, rowStride: Int, accumulate: Bool, out: Tensor
  ) {
    let source = unsafe Matrix(x, rowStride: rowStride).pointer(0..<rows, columns)
    unsafe table.column_sum(source, rows, columns.count, rowStride, accumulate ? 1 : 0, out.pointer(columns))
  }

  func encoderForward(
    _ tokens: [Int32], wte: Tensor, wpe: Tensor, rows: Range<Int>, sequenceLength: Int, channels: Int,
    out: Tensor
  ) {
    precondition(rows.upperBound <= tokens.count && out.count >= rows.upperBound * channels)
    unsafe tokens.withUnsafeBufferPointer { tokens in
      unsafe table.encoder_forward(
        tokens.baseAddress, wte.pointer, wpe.pointer, rows.lowerBound, rows.count, sequenceLength, channels,
        out.pointer)
    }
  }

  func encoderBackward(
    _ tokens: [Int32], _ dout: Tensor, batchSize: Int, sequenceLength: Int, channels: Int,
    columns: Range<Int>,
    dwte: Tensor, dwpe: Tensor
  ) {
    precondition(
      tokens.count >= batchSize * sequenceLength && dout.count >= batchSize * sequenceLength * channels)
    precondition(columns.upperBound <= channels)
    unsafe tokens.withUnsafeBufferPointer { tokens in
      unsafe table.encoder_backward(
        tokens.baseAddress, dout.pointer, batchSize, sequenceLength, channels, columns.lowerBound,
        columns.count,
        dwte.pointer, dwpe.pointer)
    }
  }

  func crossEntropyForward(
    _ logits: Tensor, targets: [Int32], rows: Range<Int>, vocabularySize: Int, rowStride: Int, losses: Tensor,
    logSumExp: Tensor
  ) {
    precondition(rows.upperBound <= targets.count && vocabularySize <= rowStride)
    unsafe targets.withUnsafeBufferPointer { targets in
      unsafe table.cross_entropy_forward(
        logits.rows(rows, of: rowStride), targets.baseAddress! + rows.lowerBound, rows.count, vocabularySize,
        rowStride, losses.pointer(rows), logSumExp.pointer(rows))
    }
  }

  func crossEntropyBackward(
    _ logits: Tensor, targets: [Int32], logSumExp: Tensor, scale: Float, rows: Range<Int>,
    vocabularySize: Int,
    rowStride: Int, dlogits: Tensor
  ) {
    precondition(rows.upperBound <= targets.count && vocabularySize <= rowStride)
    unsafe targets.withUnsafeBufferPointer { targets in
      unsafe table.cross_entropy_backward(
        logits.rows(rows, of: rowStride), targets.baseAddress! + rows.lowerBound, logSumExp.pointer(rows),
        scale,
        rows.count, vocabularySize, rowStride, dlogits.rows(rows, of: rowStride))
    }
  }

  /// Also stores the squared norm of each `unit` gradients of `range`, from `squares[range.lowerBound / unit]` on.
  func adamW(
    _ step: AdamW.Step, parameters: Tensor, gradients: Tensor, firstMoment: Tensor, secondMoment: Tensor,
    range: Range<Int>, unit: Int, squares: Tensor
  ) {
    precondition(range.lowerBound % unit == 0)
    var arguments = ck_adamw(
      learning_rate: step.learningRate, beta1: step.beta1, beta2: step.beta2, epsilon: step.epsilon,
      weight_decay: step.weightDecay, one_minus_beta1: step.oneMinusBeta1,
      one_minus_beta2: step.oneMinusBeta2,
      first_correction: step.firstCorrection, second_correction: step.secondCorrection,
      gradient_scale: step.gradientScale)
    let norms = range.lowerBound / unit..<(range.upperBound + unit - 1) / unit
    unsafe table.adamw(
      parameters.pointer(range), gradients.pointer(range), firstMoment.pointer(range),
      secondMoment.pointer(range), range.count, &arguments, unit, squares.pointer(norms))
  }

  /// Stores the squared norm of each `unit` elements of `range`, from `squares[range.lowerBound / unit]` on.
  func squaredNorms(_ x: Tensor, range: Range<Int>, unit: Int, squares: Tensor) {
    precondition(range.lowerBound % unit == 0)
    let norms = range.lowerBound / unit..<(range.upperBound + unit - 1) / unit
    unsafe table.squared_norms(x.pointer(range), range.count, unit, squares.pointer(norms))
  }

  /// y = exp(x), for the tests of the kernels' own exponential.
  package func exponential(_ x: Tensor, y: Tensor) {
    precondition(x.count == y.count)
    unsafe table.exponential(x.pointer, x.count, y.pointer)
  }

  /// y = 2ˣ, 0 below the normal floats, for the tests of attention's own exponential.
  package func powerOfTwo(_ x: Tensor, y: Tensor) {
    precondition(x.count == y.count)
    unsafe table.power_of_two(x.pointer, x.count, y.pointer)
  }

  /// Runs `iterations` rounds of independent multiply-adds and returns the floating-point operations done.
  func peak(iterations: Int) -> Double { unsafe table.peak(iterations) }

  /// Reads a range once and returns its sum.
  func read(_ x: Tensor, range: Range<Int>) -> Float { unsafe table.read(x.pointer(range), range.count) }
}

/// One head's place in the tensors of attention.
struct AttentionHead {
  let shape: AttentionShape
  let batch: Int
  let head: Int

  fileprivate var inputOffset: Int {
    batch * shape.sequenceLength * 3 * shape.channels + head * shape.headSize
  }
  fileprivate var outputOffset: Int { batch * shape.sequenceLength * shape.channels + head * shape.headSize }
  fileprivate var rowsOffset: Int { (batch * shape.heads + head) * shape.sequenceLength }
}

extension Kernels {
  func attentionForward(
    _ qkv: Tensor, head: AttentionHead, queries: Range<Int>, out: Tensor, logSumExp: Tensor,
    kept: AttentionWeights?,
    scratch: Tensor
  ) {
    let shape = head.shape
    shape.check(qkv: qkv, out: out, logSumExp: logSumExp)
    precondition(queries.upperBound <= shape.sequenceLength && queries.count <= Self.attentionQueries)
    precondition(scratch.count >= scratchCount(sequenceLength: shape.sequenceLength))
    var arguments = unsafe ck_attention_forward()
    unsafe arguments.q = UnsafePointer(qkv.pointer + head.inputOffset)
    unsafe arguments.k = arguments.q + shape.channels
    unsafe arguments.v = arguments.k + shape.channels
    unsafe arguments.ld = 3 * shape.channels
    unsafe arguments.out = out.pointer + head.outputOffset
    unsafe arguments.ld_out = shape.channels
    unsafe arguments.log_sum_exp = logSumExp.pointer + head.rowsOffset
    if let kept {
      let count = shape.sequenceLength * shape.sequenceLength
      let start = head.rowsOffset * shape.sequenceLength
      unsafe arguments.preatt = kept.scores.pointer(start..<start + count)
      unsafe arguments.att = kept.weights.pointer(start..<start + count)
    }
    unsafe arguments.first = queries.lowerBound
    unsafe arguments.rows = queries.count
    unsafe arguments.head_size = shape.headSize
    unsafe arguments.t = shape.sequenceLength
    unsafe table.attention_forward(&arguments, scratch.pointer)
  }

  /// - Parameter partial: where what these keys add to dq goes, (T − keys.lowerBound, hs); nil: dq is overwritten
  ///   with it.
  func attentionBackward(
    _ dout: Tensor, qkv: Tensor, out: Tensor, logSumExp: Tensor, head: AttentionHead, keys: Range<Int>,
    dqkv: Tensor, partial: Tensor?, scratch: Tensor
  ) {
    let shape = head.shape
    shape.check(qkv: qkv, out: out, logSumExp: logSumExp)
    shape.check(qkv: dqkv, out: dout, logSumExp: logSumExp)
    precondition(keys.upperBound <= shape.sequenceLength)
    precondition(scratch.count >= scratchCount(sequenceLength: shape.sequenceLength))
    var arguments = unsafe ck_attention_backward()
    unsafe arguments.q = UnsafePointer(qkv.pointer + head.inputOffset)
    unsafe arguments.k = arguments.q + shape.channels
    unsafe arguments.v = arguments.k + shape.channels
    unsafe arguments.ld = 3 * shape.channels
    unsafe arguments.out = UnsafePointer(out.pointer + head.outputOffset)
    unsafe arguments.dout = UnsafePointer(dout.pointer + head.outputOffset)
    unsafe arguments.ld_out = shape.channels
    unsafe arguments.log_sum_exp = UnsafePointer(logSumExp.pointer + head.rowsOffset)
    let gradient = unsafe dqkv.pointer + head.inputOffset
    unsafe arguments.dk = gradient + shape.channels
    unsafe arguments.dv = gradient + 2 * shape.channels
    unsafe arguments.ld_grad = 3 * shape.channels
    if let partial {
      let count = (shape.sequenceLength - keys.lowerBound) * shape.headSize
      unsafe arguments.dq = partial.pointer(0..<count)
      unsafe arguments.ld_dq = shape.headSize
    } else {
      unsafe arguments.dq = gradient + keys.lowerBound * 3 * shape.channels
      unsafe arguments.ld_dq = 3 * shape.channels
    }
    unsafe arguments.first = keys.lowerBound
    unsafe arguments.count = keys.count
    unsafe arguments.head_size = shape.headSize
    unsafe arguments.t = shape.sequenceLength
    unsafe table.attention_backward(&arguments, scratch.pointer)
  }

  /// dq[queries] += rows of `partial`, whose first row is that of query `first`.
  func attentionAdd(
    _ partial: Tensor, first: Int, head: AttentionHead, queries: Range<Int>, dqkv: Tensor
  ) {
    let shape = head.shape
    let rows = queries.lowerBound - first..<queries.upperBound - first
    precondition(dqkv.count >= shape.batchSize * shape.sequenceLength * 3 * shape.channels)
    precondition(queries.upperBound <= shape.sequenceLength)
    unsafe table.add_rows(
      partial.rows(rows, of: shape.headSize), shape.headSize, rows.count, shape.headSize,
      dqkv.pointer + head.inputOffset + queries.lowerBound * 3 * shape.channels, 3 * shape.channels)
  }
}
