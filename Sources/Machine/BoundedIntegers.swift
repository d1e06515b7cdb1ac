/// Integers that are each known to lie in 0..<bound: checked once, where they are made.
///
/// Token ids pass through a loader, an embedding and a loss; whoever takes these compares bounds and reads no id
/// again. A slice shares the memory of the whole.
public struct BoundedIntegers: Sendable {
  /// What every integer is below.
  public let bound: Int
  private let storage: [Int32]
  private let range: Range<Int>

  /// Checks `integers`.
  ///
  /// - Throws: `OutOfBounds` for the first that is negative or not below `bound`.
  /// - Complexity: one comparison an integer; no copy.
  public init(_ integers: [Int32], below bound: Int) throws(OutOfBounds) {
    // One unsigned comparison covers both ends.
    let limit = UInt32(clamping: bound)
    if let position = integers.firstIndex(where: { UInt32(bitPattern: $0) >= limit }) {
      throw OutOfBounds(position: position, value: integers[position], bound: bound)
    }
    self.bound = bound
    storage = integers
    range = 0..<integers.count
  }

  /// Those of all parts, one behind another.
  ///
  /// - Precondition: each part's bound is at most `bound`.
  /// - Complexity: a copy; no integer is looked at.
  public init(joining parts: [BoundedIntegers], below bound: Int) {
    precondition(parts.allSatisfy { $0.bound <= bound }, "parts below \(parts.map(\.bound)), not \(bound)")
    self.bound = bound
    storage = parts.flatMap { $0.storage[$0.range] }
    range = 0..<storage.count
  }

  private init(_ storage: [Int32], _ range: Range<Int>, bound: Int) {
    self.bound = bound
    self.storage = storage
    self.range = range
  }

  public var count: Int { range.count }
  public var isEmpty: Bool { range.isEmpty }

  /// - Precondition: `index` in `0..<count`.
  public subscript(_ index: Int) -> Int32 {
    precondition(index >= 0 && index < count, "index \(index) of \(count) integers")
    return storage[range.lowerBound + index]
  }

  /// Those at `positions`, in the same memory.
  ///
  /// - Precondition: `positions` lies within `0..<count`.
  public subscript(_ positions: Range<Int>) -> BoundedIntegers {
    precondition(
      positions.lowerBound >= 0 && positions.upperBound <= count,
      "positions \(positions) of \(count) integers")
    return BoundedIntegers(
      storage, range.lowerBound + positions.lowerBound..<range.lowerBound + positions.upperBound, bound: bound
    )
  }

  /// All of them, in place.
  public func withSpan<Result: ~Copyable, Failure: Error>(
    _ body: (Span<Int32>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(storage.span.extracting(range))
  }

  public var array: [Int32] { Array(storage[range]) }

  /// An integer that is not within 0..<bound, and where it stands.
  public struct OutOfBounds: Error, Equatable {
    public let position: Int
    public let value: Int32
    public let bound: Int
  }
}
