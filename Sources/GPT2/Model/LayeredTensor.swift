import Machine

/// A tensor that users see as one and that lies in memory layer by layer: (L, …), or a tensor that no layer has.
///
/// Elements are counted through in row-major order, as llm.c's files hold them.
public struct LayeredTensor: Sendable {
  public let name: String
  public let shape: [Int]
  /// The product of the dimensions.
  public let count: Int
  /// Each layer's, in place, or the one there is.
  public let parts: [Tensor]
  private let partCount: Int

  init(name: String, shape: [Int], parts: [Tensor]) {
    (self.name, self.shape, self.parts) = (name, shape, parts)
    partCount = parts[0].count
    count = partCount * parts.count
  }

  /// The element at a flat index.
  ///
  /// - Precondition: `index` in `0..<count`.
  public subscript(_ index: Int) -> Float {
    get {
      precondition(index >= 0 && index < count, "index \(index) of \(name) with \(count) elements")
      return parts[index / partCount][index % partCount]
    }
    nonmutating set {
      precondition(index >= 0 && index < count, "index \(index) of \(name) with \(count) elements")
      parts[index / partCount][index % partCount] = newValue
    }
  }

  /// A copy of all elements.
  public func array() -> [Float] {
    var values: [Float] = []
    values.reserveCapacity(count)
    for part in parts { values += part.array() }
    return values
  }

  /// Overwrites all elements.
  ///
  /// - Precondition: `values` has `count` elements.
  public func copy(from values: [Float]) {
    precondition(values.count == count, "\(values.count) values for \(name) with \(count) elements")
    copy(from: values, at: 0)
  }

  /// Overwrites as many elements as there are values, from a flat index on.
  ///
  /// - Precondition: they lie within the tensor.
  func copy(from values: [Float], at start: Int) {
    precondition(start >= 0 && values.count <= count - start, "\(values.count) values at \(start) of \(name)")
    var done = 0
    while done < values.count {
      let (part, offset) = (start + done).quotientAndRemainder(dividingBy: partCount)
      let length = min(values.count - done, partCount - offset)
      parts[part].slice(offset..<offset + length).copy(from: Array(values[done..<done + length]))
      done += length
    }
  }

  public func fill(_ value: Float) {
    for part in parts { part.fill(value) }
  }
}
