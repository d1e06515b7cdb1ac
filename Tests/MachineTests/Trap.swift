import Foundation
import Testing

/// How a process ends at a failed precondition: the signal of the trap instruction. An error that is thrown, or a
/// read of bad memory, ends it otherwise.
#if arch(x86_64)
  let trap = ExitTest.Condition.signal(SIGILL)
#else
  let trap = ExitTest.Condition.signal(SIGTRAP)
#endif
