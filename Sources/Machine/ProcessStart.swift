import CLinux

/// What a program does before anything else.
public enum ProcessStart {
  /// Makes sure that standard input, output and error exist, so that no file takes their place, and that signals end
  /// the process with the exit codes that shells know and leave no temporary files (`StopSignal`); a mapped file that
  /// shrinks ends it with a sentence and 1.
  public static func prepare() { _ = clinux_prepare_process() }

  /// The arguments behind the program's name. Bytes that are no UTF-8 are kept, as `String(nameBytes:)` does.
  public static let arguments: [String] = {
    var arguments: [String] = []
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let text = unsafe CommandLine.unsafeArgv[index] else { break }
      var bytes: [UInt8] = []
      while unsafe text[bytes.count] != 0 { bytes.append(unsafe UInt8(bitPattern: text[bytes.count])) }
      arguments.append(String(nameBytes: bytes))
    }
    return arguments
  }()
}
