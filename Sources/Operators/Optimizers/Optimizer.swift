import Machine

/// What turns gradients into a step of the parameters, from a state that it keeps for each of them.
///
/// An optimizer is a value: its hyperparameters. The memory of its state belongs to whoever trains, who asks `slots`
/// what there should be and passes it to `work`, so that state can be read, saved and restored by name.
public protocol Optimizer: Sendable {
  /// What it is chosen by.
  static var name: String { get }
  /// Of the next step.
  var learningRate: Double { get set }
  /// How fast the parameters that `decay` covers shrink towards 0.
  var weightDecay: Double { get set }
  var decay: WeightDecayScope { get set }

  /// Everything else that decides its steps, for logs and saved runs: what a flag is, is 1 or 0.
  var hyperparameters: [(name: String, value: Double)] { get }

  /// The names of what it keeps for each parameter, in the order in which `work` takes them; all zero at the beginning.
  var slots: [String] { get }
  /// What it can be given at a time.
  var extent: OptimizerExtent { get }
  /// Which parameters it can train.
  var roles: Set<ParameterRole> { get }

  /// Floats of scratch that a thread needs while it takes a step of a parameter of this shape.
  func scratchCount(for shape: [Int], role: ParameterRole) -> Int

  /// - Throws: `OptimizerError` for the first hyperparameter that is outside its range.
  func check() throws(OptimizerError)

  /// One step as independent tasks: `Work.blocks` where `extent` is `elements`, or no task at all.
  ///
  /// - Precondition: all tensors of `operands` have as many elements, and there is one for each of `slots`.
  func work(_ operands: OptimizerOperands, step: OptimizerStep, context: ExecutionContext) -> Work
}

extension Optimizer {
  public var roles: Set<ParameterRole> { Set(ParameterRole.allCases) }
  public func scratchCount(for shape: [Int], role: ParameterRole) -> Int { 0 }

  /// What every optimizer's `check` has in common.
  func checkRates() throws(OptimizerError) {
    try OptimizerError.check("the learning rate", learningRate)
    try OptimizerError.check("the weight decay", weightDecay)
  }
}

/// What a parameter is, as far as optimizers tell them apart.
public enum ParameterRole: String, CaseIterable, Sendable {
  /// A linear map: (out, in).
  case matrix
  /// A bias, or the scale or shift of a norm.
  case vector
  /// A row for each token or position.
  case embedding
}

/// Which parameters weight decay shrinks.
public enum WeightDecayScope: String, CaseIterable, Sendable {
  /// All, as in llm.c's program for CPUs.
  case all
  /// Matrices and embeddings but no vectors, as in nanoGPT.
  case matrices

  public func covers(_ role: ParameterRole) -> Bool { self == .all || role != .vector }
}

/// What an optimizer can be given at a time.
public enum OptimizerExtent: Sendable {
  /// Any range of elements: its work is made of blocks, which may be others than it asked for.
  case elements
  /// The whole of a tensor, or of one layer of it.
  case matrices
}

/// A range of parameters and what belongs to it.
public struct OptimizerOperands {
  /// Updated; of its own shape where it is the whole of a tensor, or of one layer of it.
  public let parameters: Tensor
  public let gradients: Tensor
  /// Updated: one for each of the optimizer's `slots`.
  public let slots: [Tensor]

  public init(parameters: Tensor, gradients: Tensor, slots: [Tensor]) {
    precondition(
      ([gradients] + slots).allSatisfy { $0.count == parameters.count },
      "gradients and state of \(parameters.name) should have its \(parameters.count) elements")
    self.parameters = parameters
    self.gradients = gradients
    self.slots = slots
  }
}

/// What is the same for all parameters of a step, or for all of a role.
public struct OptimizerStep: Sendable {
  /// From 1.
  public let number: Int
  /// Multiplies the gradients first: clipping.
  public let gradientScale: Double
  /// Whether the optimizer's decay covers these parameters.
  public let decays: Bool
  /// Of these parameters.
  public let role: ParameterRole

  public init(number: Int, gradientScale: Double = 1, decays: Bool = true, role: ParameterRole = .matrix) {
    precondition(number >= 1, "steps are counted from 1")
    self.number = number
    self.gradientScale = gradientScale
    self.decays = decays
    self.role = role
  }
}

/// A hyperparameter outside its range.
public struct OptimizerError: Error, Equatable, CustomStringConvertible {
  public let name: String
  public let expected: String
  public let found: String

  public init(name: String, expected: String, found: String) {
    (self.name, self.expected, self.found) = (name, expected, found)
  }

  public var description: String { "\(name) should be \(expected), but is \(found)." }

  static func check(_ name: String, _ value: Double) throws(OptimizerError) {
    guard value >= 0, Float(value).isFinite else {
      throw OptimizerError(
        name: name, expected: "a number from 0 up that float32 holds", found: "\(value)")
    }
  }

  /// In float32 a factor that rounds to 1 would never forget.
  static func checkFactor(_ name: String, _ value: Double) throws(OptimizerError) {
    guard value >= 0, Float(value) < 1 else {
      throw OptimizerError(name: name, expected: "at least 0 and below 1 in float32", found: "\(value)")
    }
  }
}

extension Kernels {
  /// Elements of a task of what is bound by memory: enough that claiming one costs nothing beside it.
  static let sweepBlock = 65536
}
