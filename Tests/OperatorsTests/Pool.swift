import Foundation
import Machine
import Operators

/// Contexts and guarded pages that tests lend one another: mapping them anew for every run would take most of the
/// suite's time.
enum Pool {
  /// `@unchecked Sendable`: whoever takes a context out of the pool is its only user until it gives it back.
  private struct Lent: @unchecked Sendable {
    let context: ExecutionContext
  }

  private struct Kind: Hashable {
    let set: InstructionSet
    let withMatrixUnit: Bool
    let tileUnit: TileUnit?
    let threads: Int
  }

  private struct Pages: Hashable {
    let count: Int
    let elementType: ElementType
  }

  private static let contexts = Locked<[Kind: [Lent]]>([:])
  private static let pages = Locked<[Pages: [Tensor]]>([:])

  /// Lends a context with room for this much, whose scratch holds NaN.
  static func withContext<Result>(
    _ set: InstructionSet, withMatrixUnit: Bool = true, tileUnit: TileUnit? = nil, threads: Int,
    sequenceLength: Int, sharedCount: Int,
    _ body: (ExecutionContext) throws -> Result
  ) throws -> Result {
    let kind = Kind(set: set, withMatrixUnit: withMatrixUnit, tileUnit: tileUnit, threads: threads)
    let idle = contexts.withLock { $0[kind]?.popLast() }
    let context =
      try idle?.context
      ?? ExecutionContext(
        threads: threads, instructionSet: set, withMatrixUnit: withMatrixUnit, tileUnit: tileUnit)
    defer {
      let lent = Lent(context: context)
      contexts.withLock { $0[kind, default: []].append(lent) }
    }
    try context.reserve(sequenceLength: sequenceLength, sharedCount: sharedCount)
    for worker in 0..<threads { context.scratch(worker).fill(.nan) }
    context.shared(0..<sharedCount).fill(.nan)
    return try body(context)
  }

  /// A tensor of whole pages, at least `count` elements, between two inaccessible pages.
  static func takePages(_ count: Int, _ elementType: ElementType = .float32) throws -> Tensor {
    var size = 4096
    while size < count { size *= 2 }
    let idle = pages.withLock { $0[Pages(count: size, elementType: elementType)]?.popLast() }
    return try idle ?? Arena.guardedTensor(shape: [size], elementType: elementType)
  }

  static func giveBack(_ tensors: [Tensor]) {
    pages.withLock { pages in
      for tensor in tensors {
        pages[Pages(count: tensor.count, elementType: tensor.elementType), default: []].append(tensor)
      }
    }
  }
}

/// A value behind a lock that ThreadSanitizer knows, unlike Mutex: it would take whatever passes through the pool for
/// a race.
///
/// `@unchecked Sendable`: `value` is touched under `lock` alone.
private final class Locked<Value>: @unchecked Sendable {
  private let lock = NSLock()
  private var value: Value

  init(_ value: Value) { self.value = value }

  func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
    lock.lock()
    defer { lock.unlock() }
    return try body(&value)
  }
}
