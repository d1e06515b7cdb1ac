import Glibc
import Machine
import TestSupport
import Testing

@Suite struct TemporaryTests {
  private let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  private func names() throws -> [String] { try Directory.names(in: scratch.path) }

  @Test func whatNobodyWritesAnyMoreGoesAndWhatIsWrittenStays() throws {
    let alive = try AtomicFile(path: scratch.path + "/alive")
    let directory = try AtomicDirectory(path: scratch.path + "/directory")
    let written = try names()
    #expect(written.count == 2)
    for name in ["x.temporary-1-1", "y.temporary-4000000-7/a/b", ".temporary-12-3/z"] {
      try scratch.write([1], to: name)
    }
    // Not of such a name.
    for name in ["x.temporary-1", "x.temporary-a-1", "x.temporary-1-2.bin"] {
      try scratch.write([1], to: name)
    }
    let next = try AtomicFile(path: scratch.path + "/next")
    let left = try names().filter { !$0.hasPrefix("next") }
    #expect(left == (written + ["x.temporary-1", "x.temporary-a-1", "x.temporary-1-2.bin"]).sorted())
    try next.commit()
    try alive.commit()
    try directory.commit()
  }

  @Test func errorsNameTheTargetAndNotTheTemporary() throws {
    for (path, shown) in [
      ("a/x.bin.temporary-1-2", "a/x.bin"), ("a/.temporary-12-3/x.bin", "a/x.bin"),
      ("run/step-1.temporary-1-2/model/x", "run/step-1/model/x"), ("x.temporary-1", "x.temporary-1"),
    ] {
      #expect("\(FileError.writeFailed(path: path, errno: 28))".hasPrefix(shown + " cannot be written"))
    }
  }
}

@Suite struct AtomicFileSetTests {
  private let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  private func names() throws -> [String] { try Directory.names(in: scratch.path) }

  private func write(_ name: String, in files: borrowing AtomicFileSet) throws {
    var file = try AtomicFile(path: files.temporaryPath + "/" + name)
    try file.write([1])
    try file.commit()
  }

  @Test func filesAppearTogetherOrNotAtAll() throws {
    do {
      let files = try AtomicFileSet(in: scratch.path)
      try write("a", in: files)
    }
    #expect(try names() == [])
    let files = try AtomicFileSet(in: scratch.path + "/")
    for name in ["c", "a", "b"] { try write(name, in: files) }
    #expect(try names().count == 1)
    try files.commit(first: "b")
    #expect(try names() == ["a", "b", "c"])
    let second = try AtomicFileSet(in: scratch.path)
    for name in ["d", "c", "e"] { try write(name, in: second) }
    do throws(FileError) {
      try second.commit(first: "e")
      Issue.record("a file was replaced")
    } catch { #expect(error == .exists(path: scratch.path + "/c")) }
    #expect(try names() == ["a", "b", "c"])
  }

  /// Whoever sees any of them sees the first, which tells of the others: renaming leaves its time in each.
  @Test func theFirstAppearsFirst() throws {
    let files = try AtomicFileSet(in: scratch.path)
    // Enough for the system's clock to tick between them; the first has the last name.
    let others = (0..<2000).map { "a\($0)" }
    for name in others + ["first"] {
      try scratch.write([1], to: "\(lastComponent(files.temporaryPath))/\(name)")
    }
    try files.commit(first: "first")
    let first = try changeTime("first")
    #expect(try others.allSatisfy { try changeTime($0) >= first })
    #expect(try names().count == 2001)
  }

  /// Nanoseconds.
  private func changeTime(_ name: String) throws -> Int {
    var status = stat()
    try #require(unsafe stat(scratch.path + "/" + name, &status) == 0)
    return status.st_ctim.tv_sec * 1_000_000_000 + status.st_ctim.tv_nsec
  }

  private func lastComponent(_ path: String) -> String { String(path.split(separator: "/").last ?? "") }

  /// What `commit` leaves where it is killed, at each of its steps, is taken back by the next writer, whose own files
  /// have their places then.
  @Test(arguments: 0...2) func whatIsLeftAtEachStepIsRepaired(moved: Int) throws {
    let names = ["manifest", "a", "b"]
    let left = ".temporary-4000000-1/"
    try scratch.write(names.flatMap { Array($0.utf8) + [0] }, to: left + ".names")
    for (index, name) in names.enumerated() { try scratch.write([1], to: (index < moved ? "" : left) + name) }
    let files = try AtomicFileSet(in: scratch.path)
    for name in names { try write(name, in: files) }
    try files.commit(first: "manifest")
    #expect(try self.names() == ["a", "b", "manifest"])
  }

  /// As a process leaves it that is killed among the renames.
  @Test func whatAKilledWriterMovedIsTakenBack() throws {
    try scratch.write([1], to: "mine")
    try scratch.write([1], to: "a")
    try scratch.write(Array("a\0b\0../mine\0last\0".utf8), to: ".temporary-4000000-1/.names")
    try scratch.write([1], to: ".temporary-4000000-1/b")
    try scratch.write([1], to: ".temporary-4000000-1/last")
    do { _ = try AtomicFileSet(in: scratch.path) }
    #expect(try names() == ["mine"])
  }

  /// All had their places, and only the list was left.
  @Test func whatWasDoneStays() throws {
    for name in ["a", "last"] { try scratch.write([1], to: name) }
    try scratch.write(Array("a\0last\0".utf8), to: ".temporary-4000000-1/.names")
    do { _ = try AtomicFileSet(in: scratch.path) }
    #expect(try names() == ["a", "last"])
  }
}
