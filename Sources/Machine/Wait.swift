import CLinux

/// A thread that looks, again and again, for what another one is about to write.
///
/// It keeps its processor at first: the answer then comes within a fraction of a microsecond. After that it lets
/// others have it, whose work may be what it waits for.
struct Wait {
  /// How the threads of a team wait.
  enum Manner {
    /// Each thread has a processor: it keeps it for some 100 µs, more than a program does between two regions, and
    /// offers it to others after that, at every look.
    case awake
    /// More threads than processors, or than a quota pays for: whoever stays awake for nothing takes time from those
    /// who have work. A few µs, as long as a task's last instructions may take, then naps. (A quota of half a
    /// processor, two threads, steps of 29 ms on one: 42 ms awake and never yielding, 37 yielding, 33 napping.)
    case napping

    init(threads: Int) { self = threads > Self.processors ? .napping : .awake }

    private static let processors = Topology.current.processorsAtOnce

    fileprivate var patience: Int {
      switch self {
      case .awake: 10_000
      case .napping: 100
      }
    }
  }

  private let manner: Manner
  /// Looks before others may have the processor.
  private var patience: Int

  init(_ manner: Manner) {
    self.manner = manner
    patience = manner.patience
  }

  mutating func look() {
    if patience > 0 {
      patience -= 1
      clinux_pause()
      return
    }
    switch manner {
    case .awake: clinux_yield()
    case .napping: clinux_nap()
    }
  }
}
