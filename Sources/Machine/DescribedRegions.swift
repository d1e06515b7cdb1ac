import Synchronization

/// The regions that a team's leader has described and that are not done: the oldest is open, the others follow, in their
/// order.
///
/// Whoever does the last task of one opens the next, if there is one; if not, the leader does, as soon as he has
/// described it. So one thread opens at a time, after all that was done before it.
///
/// `@unchecked Sendable`: a place is written by the leader while it is free, before `count` says that it is described
/// (release), and read by who opens it (acquire).
@safe final class DescribedRegions: @unchecked Sendable {
  /// How many there may be: as many short regions as are described while a long one runs.
  static let most = 16

  /// What its threads need to know of a region.
  @unsafe struct Region {
    let body: UnsafePointer<UncountedBody>
    /// Whose the body is; nil: its owner waits.
    let work: Work?
    let record: Recorder.Region?
  }

  private let places: UnsafeMutablePointer<Region?>
  /// Of each place, one more than there are domains: domain d has the tasks from the d-th number to the next.
  private let bounds: UnsafeMutablePointer<Int>
  private let boundCount: Int
  private let count = OwnCacheLine(0)
  /// So far, by the leader; by those who open.
  private var described = 0
  private var opened = 0

  init(domains: Int) {
    boundCount = domains + 1
    unsafe places = .allocate(capacity: Self.most)
    unsafe places.initialize(repeating: nil, count: Self.most)
    unsafe bounds = .allocate(capacity: Self.most * boundCount)
    unsafe bounds.initialize(repeating: 0, count: Self.most * boundCount)
  }

  deinit {
    unsafe places.deinitialize(count: Self.most)
    unsafe places.deallocate()
    unsafe bounds.deallocate()
  }

  // MARK: - The leader's

  /// Acquiring: who sees none sees all that was done.
  var areDone: Bool { count.value.load(ordering: .acquiring) == 0 }
  var areMost: Bool { count.value.load(ordering: .acquiring) == Self.most }

  /// - Precondition: there are not most.
  /// - Returns: whether none is open, so that the leader opens this one.
  func add(_ region: Region, bounds: Span<Int>) -> Bool {
    precondition(bounds.count == boundCount, "bounds of \(bounds.count - 1) domains")
    let place = described % Self.most
    described += 1
    unsafe places[place] = unsafe region
    for index in bounds.indices { unsafe self.bounds[place * boundCount + index] = bounds[index] }
    return count.value.wrappingAdd(1, ordering: .acquiringAndReleasing).oldValue == 0
  }

  /// Lets go of what regions that are done have kept.
  ///
  /// - Precondition: all are.
  func forget() {
    for place in 0..<Self.most { unsafe places[place] = nil }
  }

  // MARK: - Of who opens

  /// Takes the next one, and calls `body` with its bounds.
  func open(_ body: (_ region: Region, _ bounds: Span<Int>) -> Void) {
    let place = opened % Self.most
    opened += 1
    guard let region = unsafe places[place] else { preconditionFailure("a region that nobody described") }
    let numbers = unsafe UnsafeBufferPointer(start: bounds + place * boundCount, count: boundCount)
    unsafe body(region, numbers.span)
  }

  /// The open one is done.
  ///
  /// - Returns: whether another one is there to be opened.
  func close() -> Bool {
    count.value.wrappingSubtract(1, ordering: .acquiringAndReleasing).oldValue > 1
  }
}
