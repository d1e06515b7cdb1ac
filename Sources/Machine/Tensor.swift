/// A named, shaped range of an arena, row-major. Copies refer to the same numbers and keep the arena alive.
///
/// Whatever reads or writes numbers has the precondition that they are float32; `slice`, `reshaped`, copies from another
/// tensor and the views of `Operators` take every type.
///
/// `Tensor` is Sendable through `Arena`; the numbers behind it are shared and have no lock. What protects them:
/// operators give concurrent tasks disjoint ranges to write, and nothing else uses a tensor while an operator
/// that writes it runs; that exclusivity is the caller's to keep.
public struct Tensor: Sendable {
  public let name: String
  public let shape: [Int]
  /// The product of the dimensions.
  public let count: Int
  public let elementType: ElementType
  private let arena: Arena
  private let byteOffset: Int

  /// `byteOffset` and the shape's product lie within the arena's buffer; its initializer has checked the product.
  init(arena: Arena, name: String, byteOffset: Int, shape: [Int], elementType: ElementType) {
    self.arena = arena
    self.name = name
    self.byteOffset = byteOffset
    self.shape = shape
    self.elementType = elementType
    // A zero first: beside one, the other dimensions may be too large to multiply.
    count = shape.contains(0) ? 0 : shape.reduce(1, *)
  }

  /// The first byte. Valid while this tensor, or another of its arena, is alive.
  ///
  /// 64-byte aligned for an arena's own tensors; slices begin where they begin.
  @unsafe public var rawPointer: UnsafeMutableRawPointer { unsafe arena.buffer.address + byteOffset }

  /// The first element. Valid while this tensor, or another of its arena, is alive.
  /// - Precondition: the elements are float32.
  @unsafe public var pointer: UnsafeMutablePointer<Float> {
    precondition(elementType == .float32, "tensor \(name) holds \(elementType), not float32")
    return unsafe rawPointer.assumingMemoryBound(to: Float.self)
  }

  /// The element at a flat index.
  /// - Precondition: `index` in `0..<count`.
  public subscript(_ index: Int) -> Float {
    get {
      checkIndex(index)
      return unsafe pointer[index]
    }
    nonmutating set {
      checkIndex(index)
      unsafe pointer[index] = newValue
    }
  }

  @inline(__always)
  private func checkIndex(_ index: Int) {
    precondition(index >= 0 && index < count, "index \(index) of tensor \(name) with \(count) elements")
  }

  /// All elements, in place, to read.
  public func withSpan<Result: ~Copyable, Failure: Error>(
    _ body: (Span<Float>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(unsafe Span(_unsafeStart: pointer, count: count))
  }

  /// All elements, in place, to change.
  public func withMutableSpan<Result: ~Copyable, Failure: Error>(
    _ body: (inout MutableSpan<Float>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    var span = unsafe MutableSpan(_unsafeStart: pointer, count: count)
    return try body(&span)
  }

  /// Overwrites all elements.
  /// - Precondition: `values` has `count` elements.
  public func copy(from values: [Float]) {
    precondition(values.count == count, "\(values.count) values for tensor \(name) with \(count) elements")
    unsafe values.withUnsafeBufferPointer { source in
      // An empty array may have no address.
      if let first = source.baseAddress { unsafe pointer.update(from: first, count: count) }
    }
  }

  /// Overwrites all elements with another tensor's, of any type.
  /// - Precondition: the counts and the types are equal; the ranges may overlap.
  public func copy(from other: Tensor) {
    precondition(
      other.count == count && other.elementType == elementType,
      "tensor \(other.name) has \(other.count) elements of \(other.elementType), \(name) \(count) of \(elementType)"
    )
    unsafe rawPointer.copyMemory(from: other.rawPointer, byteCount: count * elementType.byteCount)
  }

  /// A copy of all elements.
  public func array() -> [Float] {
    unsafe Array(UnsafeBufferPointer(start: pointer, count: count))
  }

  public func fill(_ value: Float) {
    unsafe pointer.update(repeating: value, count: count)
  }

  /// The elements of a flat range as a tensor of their own, in place.
  /// - Parameters:
  ///   - shape: its product is the range's length; by default one dimension.
  ///   - name: by default this tensor's.
  public func slice(_ range: Range<Int>, shape: [Int]? = nil, name: String? = nil) -> Tensor {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= count,
      "range \(range) of tensor \(self.name) with \(count)")
    let flat = Tensor(
      arena: arena, name: name ?? self.name,
      byteOffset: byteOffset + range.lowerBound * elementType.byteCount, shape: [range.count],
      elementType: elementType)
    return shape.map { flat.reshaped($0) } ?? flat
  }

  /// The first bytes as elements of another type.
  package func reinterpreted(as elementType: ElementType, shape: [Int], name: String? = nil) -> Tensor {
    let tensor = Tensor(
      arena: arena, name: name ?? self.name, byteOffset: byteOffset, shape: shape, elementType: elementType)
    precondition(
      tensor.count <= count * self.elementType.byteCount / elementType.byteCount
        && shape.allSatisfy { $0 >= 0 }, "\(shape) of \(elementType) in \(count) elements of \(self.name)")
    return tensor
  }

  /// The same elements under another shape of the same count.
  public func reshaped(_ shape: [Int]) -> Tensor {
    let tensor = Tensor(
      arena: arena, name: name, byteOffset: byteOffset, shape: shape, elementType: elementType)
    precondition(
      tensor.count == count && shape.allSatisfy { $0 >= 0 }, "shape \(shape) for \(count) elements of \(name)"
    )
    return tensor
  }
}
