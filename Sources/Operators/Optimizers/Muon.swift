import Machine

/// Momentum whose steps are orthogonalized, for matrices; `AdamW` for embeddings and vectors.
///
///     u = μ·u + (1−μ)·g   d = μ·u + (1−μ)·g   O ≈ U·Vᵀ where d = U·S·Vᵀ   p −= lr·(0.2·√max(R, C)·O + decay·p)
///
/// O is what five steps of a Newton–Schulz iteration make of d / ‖d‖: its singular values end between 0.7 and 1.2. The
/// factor gives O the root mean square of a step of AdamW, so that one learning rate and one decay serve all parameters.
///
/// - Complexity: 10·m²·(2·M + m) FLOP for a matrix of m by M ≥ m numbers: for GPT-2 124M 1.5 TFLOP a step, as much as
///   the passes over 2,000 tokens. A matrix is one task.
/// - SeeAlso: Jordan et al. 2024, kellerjordan.github.io/posts/muon; Liu et al. 2025, arXiv:2502.16982, for the factor;
///   `torch.optim.Muon` with `match_rms_adamw`, whose products are of bfloat16.
public struct Muon: Optimizer, Equatable {
  public static let name = "muon"

  /// μ.
  public var momentum: Double
  /// Of the parameters that are no matrices; its learning rate and decay are those of the matrices, too.
  public var others: AdamW

  public var learningRate: Double {
    get { others.learningRate }
    set { others.learningRate = newValue }
  }
  public var weightDecay: Double {
    get { others.weightDecay }
    set { others.weightDecay = newValue }
  }
  public var decay: WeightDecayScope {
    get { others.decay }
    set { others.decay = newValue }
  }

  public init(momentum: Double = 0.95, others: AdamW = AdamW()) {
    self.momentum = momentum
    self.others = others
  }

  public var hyperparameters: [(name: String, value: Double)] {
    [("momentum", momentum)] + others.hyperparameters
  }

  /// u is the first; matrices leave the second one zero.
  public var slots: [String] { others.slots }
  public var extent: OptimizerExtent { .matrices }

  public func check() throws(OptimizerError) {
    try others.check()
    try OptimizerError.checkFactor("the momentum", momentum)
  }

  public func scratchCount(for shape: [Int], role: ParameterRole) -> Int {
    role == .matrix ? Orthogonalization.scratchCount(rows: shape[0], columns: shape[1]) : 0
  }

  public func work(_ operands: OptimizerOperands, step: OptimizerStep, context: ExecutionContext) -> Work {
    guard step.role == .matrix else { return others.work(operands, step: step, context: context) }
    let parameters = operands.parameters
    precondition(parameters.shape.count == 2, "\(parameters.name) is a whole matrix")
    let (rows, columns) = (parameters.shape[0], parameters.shape[1])
    let (kernels, momentum) = (context.kernels, operands.slots[0])
    let (kept, taken) = (Float(self.momentum), Float((1 - self.momentum) * step.gradientScale))
    let decayed = Float(1 - (step.decays ? learningRate * weightDecay : 0))
    let rate = Float(-0.2 * learningRate * Double(max(rows, columns)).squareRoot())
    return Work(count: 1) { _, worker in
      let scratch = context.optimizerScratch(worker)
      let direction = Orthogonalization(rows: rows, columns: columns, scratch: scratch, context: context)
      kernels.combine(kept, momentum, taken, operands.gradients, into: momentum)
      kernels.combine(kept, momentum, taken, operands.gradients, into: direction.start)
      kernels.combine(decayed, parameters, rate, direction.run(worker: worker), into: parameters)
    }
  }
}

/// A Newton–Schulz iteration towards the orthogonal factor of a matrix.
///
///     X ← X / max(‖X‖, 10⁻⁷)   five times  A = X·Xᵀ, X ← a·X + (b·A + c·A²)·X,  of a tall X  A = Xᵀ·X, X·(…)
///
/// - SeeAlso: Jordan et al. 2024 for a, b and c, which let small singular values grow fastest.
struct Orthogonalization {
  private static let (a, b, c): (Float, Float, Float) = (3.4445, -4.7750, 2.0315)
  private static let steps = 5

  private let rows, columns: Int
  private let context: ExecutionContext
  /// Two of (R, C), two of (m, m).
  private let current, next, gram, square: Tensor

  /// Floats.
  static func scratchCount(rows: Int, columns: Int) -> Int {
    let least = min(rows, columns)
    return 2 * (rows * columns + least * least)
  }

  /// - Precondition: the scratch has room for it.
  init(rows: Int, columns: Int, scratch: Tensor, context: ExecutionContext) {
    let (count, least) = (rows * columns, min(rows, columns))
    (self.rows, self.columns, self.context) = (rows, columns, context)
    current = scratch.slice(0..<count)
    next = scratch.slice(count..<2 * count)
    gram = scratch.slice(2 * count..<2 * count + least * least)
    square = scratch.slice(2 * count + least * least..<2 * (count + least * least))
  }

  /// Where the matrix is written that is to be orthogonalized.
  var start: Tensor { current }

  /// - Returns: (R, C), in the scratch.
  func run(worker: Int) -> Tensor {
    let kernels = context.kernels
    let isTall = rows > columns
    let (small, smallSquare) = (matrix(gram), matrix(square))
    normalize()
    var (x, y) = (current, next)
    for _ in 0..<Self.steps {
      let wide = isTall ? matrix(x).transposed : matrix(x)
      multiply(wide, wide.transposed, into: small, worker)
      multiply(small, small, into: smallSquare, worker)
      kernels.combine(Self.b, gram, Self.c, square, into: gram)
      kernels.combine(Self.a, x, 0, x, into: y)
      if isTall {
        multiply(matrix(x), small, accumulate: true, into: matrix(y), worker)
      } else {
        multiply(small, matrix(x), accumulate: true, into: matrix(y), worker)
      }
      swap(&x, &y)
    }
    return x
  }

  private func normalize() {
    context.kernels.squaredNorms(current, channels: columns, rows: 0..<rows, squares: next)
    let norm = GradientNorm.root(ofSum: next.slice(0..<rows))
    context.kernels.combine(Float(1 / max(norm, 1e-7)), current, 0, current, into: current)
  }

  private func matrix(_ tensor: Tensor) -> Matrix {
    tensor.count == rows * columns
      ? Matrix(tensor, rows: rows, columns: columns)
      : Matrix(tensor, rows: min(rows, columns), columns: min(rows, columns))
  }

  private func multiply(
    _ a: Matrix, _ b: Matrix, accumulate: Bool = false, into c: Matrix, _ worker: Int
  ) {
    GEMM.work(a, b, accumulate: accumulate, into: c, threads: 1, context: context).runAll(worker: worker)
  }
}
