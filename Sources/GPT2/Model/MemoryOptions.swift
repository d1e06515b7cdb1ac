import Machine
import Operators

/// How a model's memory is placed.
public struct MemoryOptions: Sendable, Equatable {
  /// Which NUMA nodes hold it.
  public var placement: Placement
  /// Whether it is locked in memory, where the system lets us.
  public var locked: Bool
  /// Whose nodes have what of a tensor.
  private var shares: NodeShares?

  /// As the system does it, unless told.
  public init(placement: Placement = .automatic, locked: Bool = false) {
    self.placement = placement
    self.locked = locked
  }

  /// The same, for the threads that will use it.
  func with(_ context: ExecutionContext) -> MemoryOptions {
    var options = self
    options.shares = context.parallel.nodeShares
    return options
  }

  /// - Parameter parts: the floats of each tensor, where `entries` name ranges of several; they are all float32 then.
  func arena(_ entries: [Arena.Entry], what: String, parts: [Range<Int>]? = nil) throws(MemoryError) -> Arena
  {
    let size = MemoryLayout<Float>.stride
    return try Arena(
      entries, placement: placement, parts: parts?.map { $0.lowerBound * size..<$0.upperBound * size },
      shares: shares, locked: locked, what: what)
  }
}
