import CLinux

/// The signals by which people and schedulers ask a process to end: SIGINT and SIGTERM.
public struct StopSignal: Sendable, Equatable {
  public let number: Int

  public var name: String { number == 2 ? "SIGINT" : "SIGTERM" }
  /// What shells say of a process that such a signal ended.
  public var exitCode: Int32 { Int32(128 + number) }

  /// From now on the first of these signals is only noted, for whoever asks `received`; a second one ends the process
  /// at once. For the whole process, the first of a container included, which the kernel spares otherwise.
  public static func note() { _ = clinux_catch_stop_signals(0) }

  /// From now on the first of these signals ends the process at once, the first of a container included.
  public static func endAtOnce() { _ = clinux_catch_stop_signals(1) }

  /// The signal that came, if one did.
  public static var received: StopSignal? {
    let number = clinux_stop_signal()
    return number == 0 ? nil : StopSignal(number: Int(number))
  }
}
