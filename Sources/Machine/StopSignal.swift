import CLinux

/// The signals by which people, terminals and schedulers ask a process to end: SIGHUP, SIGINT and SIGTERM.
///
/// In a process that was prepared (`ProcessStart.prepare()`) they end it at once, and its temporary files go; so does
/// SIGQUIT.
public struct StopSignal: Sendable, Equatable {
  public let number: Int

  public var name: String {
    switch number {
    case 1: "SIGHUP"
    case 2: "SIGINT"
    default: "SIGTERM"
    }
  }

  /// What shells say of a process that such a signal ended.
  public var exitCode: Int32 { Int32(128 + number) }

  /// Whether the terminal that the process wrote to is gone.
  public var isHangUp: Bool { number == 1 }

  /// From now on the first of these signals is only noted, for whoever asks `received`; a second one, and SIGQUIT, end
  /// the process at once.
  public static func note() { clinux_note_stop_signals() }

  /// The signal that came, if one did.
  public static var received: StopSignal? {
    let number = clinux_stop_signal()
    return number == 0 ? nil : StopSignal(number: Int(number))
  }
}
