import CLinux
import Synchronization

/// A file or a directory that is written under a name of its own beside its target: `TARGET.temporary-PID-N`.
///
/// It is locked as long as its process lives, so that the next writer in the same directory knows what nobody writes any
/// more and removes it. A signal that ends the process removes it, too.
enum Temporary {
  private static let mark = ".temporary-"
  private static let serial = Atomic<Int>(0)

  /// A name that no other process, and nobody else in this one, takes for `path`.
  static func name(for path: String) -> String {
    "\(path)\(mark)\(clinux_process_id())-\(serial.add(1, ordering: .relaxed).newValue)"
  }

  /// Makes an entry of such a name and locks it.
  ///
  /// - Parameters:
  ///   - directory: the one that `path` is in.
  ///   - make: makes what is at a path, and opens it.
  static func make(
    for path: String, in directory: String,
    _ make: (_ temporaryPath: String) throws(FileError) -> FileDescriptor
  ) throws(FileError) -> Made {
    // In a temporary directory, which is locked itself, nobody else has left anything.
    if target(of: directory) == directory { removeStale(in: directory) }
    while true {
      let temporaryPath = name(for: path)
      // Before it is there: a signal may come between any two steps.
      let entry = TemporaryEntry(temporaryPath)
      let file = try make(temporaryPath)
      // Whoever removes stale ones may have come before the lock.
      if try file.lockNew() { return Made(file: file, entry: entry) }
    }
  }

  /// What was made, and goes with a signal as long as `entry` lives.
  struct Made: ~Copyable {
    let file: FileDescriptor
    let entry: TemporaryEntry
  }

  /// Where the mark begins in the last component of a path; nil without one and two numbers behind it.
  private static func markStart(_ component: Substring) -> String.Index? {
    guard let range = component.ranges(of: mark).last else { return nil }
    let numbers = component[range.upperBound...].split(separator: "-", omittingEmptySubsequences: false)
    let isNumber = numbers.map { !$0.isEmpty && $0.utf8.allSatisfy { 0x30...0x39 ~= $0 } }
    return isNumber == [true, true] ? range.lowerBound : nil
  }

  /// Whether a name is that of a temporary.
  static func isTemporary(_ name: String) -> Bool { markStart(name[...]) != nil }

  /// The path that what is written at `path` is to have: what people are told.
  static func target(of path: String) -> String {
    guard path.contains(mark) else { return path }
    let components = path.split(separator: "/", omittingEmptySubsequences: false).compactMap { component in
      guard let start = markStart(component) else { return Substring?.some(component) }
      return start == component.startIndex ? nil : component[..<start]
    }
    return components.joined(separator: "/")
  }

  /// Removes what processes that are gone have left in a directory. What cannot be removed stays: others come by.
  static func removeStale(in directory: String) {
    let prefix = directory.utf8.last == UInt8(ascii: "/") ? directory : directory + "/"
    for name in (try? Directory.names(in: directory)) ?? [] where isTemporary(name) {
      let path = prefix + name
      guard let file = try? FileDescriptor(path: path, mode: CLINUX_READ),
        clinux_try_lock_file(file.number) == 0
      else { continue }
      AtomicFileSet.takeBack(path, in: prefix)
      try? Directory.removeTree(at: path)
    }
  }
}

/// What goes when a signal ends the process.
struct TemporaryEntry: ~Copyable {
  private let number: Int32

  init(_ path: String, _ kind: clinux_temporary = CLINUX_TREE) {
    number = unsafe clinux_add_temporary(path.cString, kind)
  }

  deinit { clinux_forget_temporary(number) }
}
