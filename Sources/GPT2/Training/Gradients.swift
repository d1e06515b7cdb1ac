import Machine
import Operators

/// The gradients of a network's parameters, and what they are worth.
public final class Gradients {
  public enum State: Sendable {
    /// They count as zero whatever their memory holds: the next backward pass overwrites them, which spares a sweep of
    /// writing zeros and one of reading them back.
    case zero
    /// Batches of an update are in, others are still to come.
    case partial
    /// All that an update takes.
    case complete
  }

  public private(set) var state = State.zero
  /// The numbers, valid unless `state` is zero.
  let tensors: ParameterTensors

  init(of network: Network) throws(ModelError) {
    tensors = try ModelError.wrapping { () throws(MemoryError) in
      try ParameterTensors(network.configuration, memory: network.memory, what: "the gradients")
    }
  }

  /// Makes every gradient count as zero.
  ///
  /// - Complexity: none.
  public func zero() { state = .zero }

  /// The numbers, for people who look and write: memory is only cleared when somebody does.
  func written(context: ExecutionContext) -> ParameterTensors {
    if state == .zero { Residual.zero(tensors.all, context: context) }
    state = .complete
    return tensors
  }

  /// Runs a backward pass that adds to them, or overwrites them where they are zero.
  ///
  /// - Parameters:
  ///   - state: what they are afterwards.
  ///   - pass: returns whether it came to its end; if not, they count as zero, also what was accumulated before.
  func add(leaving state: State = .complete, _ pass: (_ accumulate: Bool) -> Bool) {
    self.state = pass(self.state != .zero) ? state : .zero
  }
}
