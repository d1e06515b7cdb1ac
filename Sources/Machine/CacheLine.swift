import Synchronization

/// An atomic with cache lines to itself: what one thread writes does not take from others the line of what they read.
///
/// 128 bytes apart from its neighbours on either side: lines are 64 bytes, but x86 fetches them in pairs, and some
/// arm64 processors have lines of 128.
struct OwnCacheLine<Value: AtomicRepresentable>: ~Copyable {
  private let before = Self.padding
  let value: Atomic<Value>
  private let after = Self.padding

  init(_ value: consuming Value) { self.value = Atomic(value) }

  private static var padding: InlineArray<15, UInt64> { InlineArray(repeating: 0) }
}
