/// Which end of a guarded tensor lies against an inaccessible page.
package enum GuardEdge: Sendable {
  case start, end
}

extension Arena {
  /// An arena for tests of kernels: with `.end`, the element after the last one of the last tensor lies on an
  /// inaccessible page; with `.start`, the element before the first one does. A kernel that reads or writes past
  /// that edge ends the process. With `.end`, tensors keep their distances but not their 64-byte alignment.
  package static func guarded(
    _ entries: [Entry], edge: GuardEdge = .end, locked: Bool = false
  ) throws(MemoryError) -> Arena {
    try Arena(entries, placement: .local, locked: locked, what: "A guarded arena", guardEdge: edge)
  }

  /// One tensor that is an arena of its own, against an inaccessible page.
  package static func guardedTensor(
    shape: [Int], name: String = "guarded", elementType: ElementType = .float32, edge: GuardEdge = .end
  ) throws(MemoryError) -> Tensor {
    try guarded([Entry(name: name, shape: shape, elementType: elementType)], edge: edge).tensors[0]
  }
}
