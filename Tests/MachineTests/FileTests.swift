import Foundation
import Machine
import Testing

@Suite struct MappedFileTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test func integersAreLittleEndianAtAnyAlignment() throws {
    let file = try MappedFile(
      path: try folder.write([0x01, 0x02, 0x03, 0x84, 0xFF, 0xFE, 0, 0, 0x80], to: "x"))
    #expect(file.byteCount == 9)
    #expect(file.read(UInt8.self, at: 3) == 0x84)
    #expect(file.read(UInt16.self, at: 1) == 0x0302)
    #expect(file.read(UInt32.self, at: 0) == 0x8403_0201)
    #expect(file.read(Int32.self, at: 0) == Int32(bitPattern: 0x8403_0201))
    #expect(file.read(Int64.self, at: 1) == Int64(bitPattern: 0x8000_00FE_FF84_0302))
    #expect(file.withBytes { $0.byteCount } == 9)
  }

  /// Ranges that begin and end anywhere, read again after their memory was given back.
  @Test func rangesAreReadInPlace() throws {
    let bytes = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 / 3) }
    let file = try MappedFile(path: try folder.write(bytes, to: "x"))
    for range in [0..<20_000, 1..<19_999, 5000..<5001, 4096..<8192, 20_000..<20_000] {
      for _ in 0..<2 {
        let read = file.withBytes(in: range) { span in
          span.byteOffsets.map { unsafe span.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
        }
        #expect(read == Array(bytes[range]), "\(range)")
      }
    }
  }

  @Test func comparingBytes() throws {
    let first = try MappedFile(path: try folder.write([1, 2, 3, 4, 5], to: "a"))
    let second = try MappedFile(path: try folder.write([9, 2, 3, 4, 6], to: "b"))
    #expect(first.hasSameBytes(in: 1..<4, as: second, in: 1..<4))
    #expect(!first.hasSameBytes(in: 1..<5, as: second, in: 1..<5))
    #expect(!first.hasSameBytes(in: 1..<4, as: second, in: 1..<3))
    #expect(first.hasSameBytes(in: 5..<5, as: second, in: 0..<0))
  }

  @Test func anEmptyFileIsFine() throws {
    let file = try MappedFile(path: try folder.write([], to: "empty"))
    #expect(file.byteCount == 0)
    #expect(file.withBytes { $0.byteCount } == 0)
    #expect(file.withBytes(in: 0..<0) { $0.byteCount } == 0)
  }

  @Test func whatCannotBeMappedIsAnErrorThatNamesThePath() throws {
    let missing = folder.path("missing")
    #expect(throws: FileError.notFound(path: missing)) { try MappedFile(path: missing) }
    #expect(throws: FileError.isDirectory(path: folder.path)) { try MappedFile(path: folder.path) }
    #expect(throws: FileError.notRegularFile(path: "/dev/null")) { try MappedFile(path: "/dev/null") }
    #expect(throws: FileError.notFound(path: "a\0b")) { try MappedFile(path: "a\0b") }
    // A pipe without a writer: opening it must not wait.
    let pipe = folder.path("pipe")
    #expect(unsafe mkfifo(pipe, 0o600) == 0)
    #expect(throws: FileError.notRegularFile(path: pipe)) { try MappedFile(path: pipe) }
    #expect("\(FileError.notFound(path: missing))".contains(missing))
  }

  @Test func theMappingOutlivesTheName() throws {
    let file = try MappedFile(path: try folder.write([1, 2, 3, 4], to: "x"))
    let copy = file
    try FileManager.default.removeItem(atPath: folder.path("x"))
    #expect(copy.read(UInt32.self, at: 0) == 0x0403_0201)
  }

  @Test func readingOutsideStops() async {
    await #expect(processExitsWith: trap) {
      let file = try MappedFile(path: "/proc/self/exe")
      _ = file.read(UInt32.self, at: file.byteCount - 3)
    }
    await #expect(processExitsWith: trap) {
      _ = try MappedFile(path: "/proc/self/exe").read(UInt8.self, at: -1)
    }
    await #expect(processExitsWith: trap) {
      let file = try MappedFile(path: "/proc/self/exe")
      file.withBytes(in: 1..<file.byteCount + 1) { _ in }
    }
    await #expect(processExitsWith: trap) {
      try MappedFile(path: "/proc/self/exe").withBytes(in: -1..<4) { _ in }
    }
  }
}

@Suite struct AtomicFileTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test func aCommittedFileHoldsWhatWasWritten() throws {
    let tensor = try Arena([.init(name: "x", shape: [2])])["x"]!
    tensor.copy(from: [1, -2.5])
    var file = try AtomicFile(path: folder.path("out"))
    try file.write([7, 8, 9])
    try file.write(tensor)
    try file.write([])
    #expect(try !folder.names().contains("out"))
    try file.commit()
    #expect(try folder.names() == ["out"])
    #expect(try folder.bytes("out") == [7, 8, 9, 0, 0, 0x80, 0x3F, 0, 0, 0x20, 0xC0])
  }

  @Test func withoutACommitTheDestinationIsUntouched() throws {
    try folder.write("before", to: "out")
    do {
      var file = try AtomicFile(path: folder.path("out"), overwrite: true)
      try file.write([1, 2, 3])
      #expect(try folder.names().count == 2)
    }
    #expect(try folder.names() == ["out"])
    #expect(try folder.bytes("out") == Array("before".utf8))
  }

  @Test func overwritingReplacesTheWholeFile() throws {
    try folder.write("something longer", to: "out")
    var file = try AtomicFile(path: folder.path("out"), overwrite: true)
    try file.write([1])
    #expect(try folder.bytes("out") == Array("something longer".utf8))
    try file.commit()
    #expect(try folder.bytes("out") == [1])
    #expect(try folder.names() == ["out"])
  }

  @Test func nothingIsOverwrittenUnlessAsked() throws {
    let path = try folder.write("before", to: "out")
    #expect(throws: FileError.exists(path: path)) { _ = try AtomicFile(path: path) }
    #expect(try folder.names() == ["out"])
  }

  /// A file that appears between the start and the commit is kept too.
  @Test func aFileThatAppearsMeanwhileIsKept() throws {
    let path = folder.path("out")
    var file = try AtomicFile(path: path)
    try file.write([1])
    try folder.write("meanwhile", to: "out")
    do throws(FileError) {
      try file.commit()
      Issue.record("the commit replaced a file")
    } catch {
      #expect(error == .exists(path: path))
    }
    #expect(try folder.bytes("out") == Array("meanwhile".utf8))
    #expect(try folder.names() == ["out"])
  }

  @Test func impossibleDestinationsAreErrors() throws {
    #expect(throws: FileError.isDirectory(path: folder.path)) {
      _ = try AtomicFile(path: folder.path, overwrite: true)
    }
    #expect(throws: FileError.notRegularFile(path: "/dev/null")) {
      _ = try AtomicFile(path: "/dev/null", overwrite: true)
    }
    #expect(throws: FileError.self) { _ = try AtomicFile(path: folder.path("missing/out")) }
    #expect(try folder.names() == [])
  }

  @Test func twoWritersOfOnePathDoNotMix() throws {
    let path = folder.path("out")
    var first = try AtomicFile(path: path, overwrite: true)
    var second = try AtomicFile(path: path, overwrite: true)
    try first.write([1])
    try second.write([2])
    try first.commit()
    #expect(try folder.bytes("out") == [1])
    try second.commit()
    #expect(try folder.bytes("out") == [2])
  }
}

@Suite struct LineWriterTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test func linesAreAppended() throws {
    let path = folder.path("log")
    let first = try LineWriter(path: path)
    try first.write("one")
    #expect(try folder.bytes("log") == Array("one\n".utf8))
    try LineWriter(path: path, append: true).write("zwei ü")
    try first.write("three")
    #expect(try folder.bytes("log") == Array("one\nzwei ü\nthree\n".utf8))
  }

  @Test func anExistingFileIsRefusedUnlessAsked() throws {
    let path = try folder.write("before", to: "log")
    #expect(throws: FileError.exists(path: path)) { _ = try LineWriter(path: path) }
    #expect(try folder.bytes("log") == Array("before".utf8))
    #expect(throws: FileError.isDirectory(path: folder.path)) {
      _ = try LineWriter(path: folder.path, append: true)
    }
  }

  /// /dev/full is a disk without space.
  @Test func aFullDiskIsAnErrorThatNamesThePath() throws {
    let writer = try LineWriter(path: "/dev/full", append: true)
    #expect(throws: FileError.writeFailed(path: "/dev/full", errno: ENOSPC)) { try writer.write("line") }
    #expect("\(FileError.writeFailed(path: "/dev/full", errno: ENOSPC))".contains("No space left"))
  }
}
