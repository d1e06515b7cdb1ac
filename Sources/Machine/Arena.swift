/// One buffer whose ranges have names, shapes and element types: a model's parameters, its gradients, its activations.
///
/// Tensors lie in the order given, each from a 64-byte boundary on (a cache line and an AVX-512 vector). The
/// padding between them belongs to `all` and stays zero, so that sums and updates over the whole range are those
/// over the tensors.
///
/// The arena lives as long as any of its tensors.
public final class Arena: Sendable {
  public struct Entry: Sendable, Equatable {
    public var name: String
    public var shape: [Int]
    public var elementType: ElementType

    public init(name: String, shape: [Int], elementType: ElementType = .float32) {
      self.name = name
      self.shape = shape
      self.elementType = elementType
    }

    /// The product of the dimensions; `nil` when one is negative or the product overflows.
    public var elementCount: Int? {
      guard shape.allSatisfy({ $0 >= 0 }) else { return nil }
      if shape.contains(0) { return 0 }
      var count = 1
      for dimension in shape {
        let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
        if overflow { return nil }
        count = product
      }
      return count
    }
  }

  /// A tensor's place in the arena, in bytes.
  private struct Place {
    var entry: Entry
    var offset: Int

    /// Sizes have been checked.
    var bytes: Range<Int> {
      offset..<offset + (entry.elementCount ?? 0) * entry.elementType.byteCount
    }
  }

  let buffer: Buffer
  private let places: [Place]
  private let indices: [String: Int]
  /// Bytes of `all`; the mapping behind it is rounded up to whole pages.
  public let byteCount: Int
  private let firstByte: Int
  private let isFloat32: Bool

  /// Of every tensor's first byte.
  package static let alignment = 64
  /// The same in float32 numbers.
  package static let lineFloats = alignment / MemoryLayout<Float>.stride

  /// - Parameters:
  ///   - entries: names, each used once, and shapes; a dimension may be 0.
  ///   - parts: the bytes of what is placed as one, by default those of each tensor.
  ///   - shares: whose nodes have what of a part.
  ///   - locked: keeps the pages in memory; where the system refuses, `notice` says so.
  ///   - what: names the arena in an error, as in "The parameters".
  /// - Throws: `MemoryError`; `exceedsMemory` comes before anything is mapped.
  public convenience init(
    _ entries: [Entry], placement: Placement = .automatic, parts: [Range<Int>]? = nil,
    shares: NodeShares? = nil, locked: Bool = false, what: String = "An arena"
  ) throws(MemoryError) {
    try self.init(
      entries, placement: placement, parts: parts, shares: shares, locked: locked, what: what, guardEdge: nil)
  }

  init(
    _ entries: [Entry], placement: Placement, parts: [Range<Int>]? = nil, shares: NodeShares? = nil,
    locked: Bool, what: String, guardEdge: GuardEdge?
  ) throws(MemoryError) {
    let (places, byteCount) = try Self.layOut(entries, padded: guardEdge == nil)
    buffer = try Buffer(
      byteCount: byteCount, placement: placement, parts: parts ?? places.map(\.bytes), shares: shares,
      locked: locked, what: what, guarded: guardEdge != nil)
    firstByte = guardEdge == .end ? buffer.byteCount - byteCount : 0
    self.places = places
    self.byteCount = byteCount
    isFloat32 = entries.allSatisfy { $0.elementType == .float32 }
    indices = Dictionary(
      places.enumerated().map { ($1.entry.name, $0) },
      uniquingKeysWith: { first, _ in
        preconditionFailure("two tensors are named \(places[first].entry.name)")
      })
  }

  /// Offsets in bytes, each a multiple of `alignment`, and the total; unpadded, the last tensor ends the arena.
  private static func layOut(
    _ entries: [Entry], padded: Bool
  ) throws(MemoryError) -> (places: [Place], byteCount: Int) {
    // Keeps every offset, rounded up to pages, within Int.
    let limit = Int.max / 16
    var offset = 0
    var end = 0
    var places: [Place] = []
    for entry in entries {
      let size = entry.elementType.byteCount
      guard let count = entry.elementCount, count <= (limit - offset) / size else {
        throw .invalidShape(name: entry.name, shape: entry.shape)
      }
      places.append(Place(entry: entry, offset: offset))
      end = offset + count * size
      offset = (end + alignment - 1) / alignment * alignment
    }
    // Unpadded and mixed, the widest elements still lie where their type may.
    let widest = entries.map(\.elementType.byteCount).max() ?? 1
    return (places, padded ? offset : (end + widest - 1) / widest * widest)
  }

  /// The tensor of that name.
  public subscript(_ name: String) -> Tensor? {
    indices[name].map { tensor(at: places[$0]) }
  }

  /// All tensors, in the order of the entries.
  public var tensors: [Tensor] {
    places.map { tensor(at: $0) }
  }

  /// The whole range as one flat tensor, the zero padding between tensors included.
  ///
  /// - Precondition: all elements are float32.
  public var all: Tensor {
    precondition(isFloat32, "an arena of several types is not one tensor")
    return Tensor(
      arena: self, name: "all", byteOffset: firstByte, shape: [byteCount / ElementType.float32.byteCount],
      elementType: .float32)
  }

  /// What was asked for and not granted (locked memory), as a sentence for the user.
  public var notice: String? { buffer.notice }

  private func tensor(at place: Place) -> Tensor {
    Tensor(
      arena: self, name: place.entry.name, byteOffset: firstByte + place.offset, shape: place.entry.shape,
      elementType: place.entry.elementType)
  }
}
