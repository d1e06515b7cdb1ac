import Foundation
import Machine
import Testing

/// What files too large for memory need: reading in pieces, and headers and names that are known last.
@Suite struct StreamedFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func aFileIsReadInPieces() throws {
    let content = (0..<1000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    let file = try FileReader(path: try folder.write(content, to: "x"))
    #expect(file.version.byteCount == 1000)
    var bytes: [UInt8] = [42]
    var counts: [Int] = []
    for limit in [1, 0, 600, 600, 600] { counts.append(try file.read(appendingTo: &bytes, limit: limit)) }
    #expect(counts == [1, 0, 600, 399, 0])
    #expect(bytes == [42] + content)
  }

  @Test func aFileThatChangesIsNotWhatWasRead() throws {
    let path = try folder.write([1, 2, 3], to: "x")
    let file = try FileReader(path: path)
    try file.checkUnchanged(byteCount: 3)
    #expect(throws: FileError.changed(path: path, before: 3, now: 3)) {
      try file.checkUnchanged(byteCount: 2)
    }
    for bytes in [[1, 2], [1, 2, 3, 4]] as [[UInt8]] {
      let handle = try FileHandle(forWritingTo: URL(filePath: path))
      try handle.truncate(atOffset: 0)
      try handle.write(contentsOf: Data(bytes))
      #expect(throws: FileError.changed(path: path, before: 3, now: bytes.count)) {
        try file.checkUnchanged(byteCount: 3)
      }
      try FileReader(path: path).checkUnchanged(byteCount: bytes.count)
    }
  }

  @Test func whatCannotBeReadIsAnErrorThatNamesThePath() throws {
    let missing = folder.path("missing")
    #expect(throws: FileError.notFound(path: missing)) { _ = try FileReader(path: missing) }
    #expect(throws: FileError.isDirectory(path: folder.path)) { _ = try FileReader(path: folder.path) }
    #expect(throws: FileError.notRegularFile(path: "/dev/null")) { _ = try FileReader(path: "/dev/null") }
  }

  @Test func aHeaderIsWrittenLast() throws {
    var file = try AtomicFile(path: folder.path("x"))
    try file.write([0, 0, 0, 0])
    try file.write(integers: [0x0102, 0xFFFE] as [UInt16])
    try file.overwrite(at: 1, with: [7, 8])
    try file.write(integers: [-2] as [Int32])
    try file.commit()
    #expect(try folder.bytes("x") == [0, 7, 8, 0, 2, 1, 0xFE, 0xFF, 0xFE, 0xFF, 0xFF, 0xFF])
  }

  @Test func aNameIsChosenLast() throws {
    var file = try AtomicFile(path: folder.path("x"))
    try file.write([1])
    try file.commit(as: folder.path("y"))
    #expect(try folder.names() == ["y"])
    #expect(try folder.bytes("y") == [1])
    #expect(throws: FileError.exists(path: folder.path("y"))) {
      var second = try AtomicFile(path: folder.path("x"))
      try second.write([2])
      try second.commit(as: folder.path("y"))
    }
    #expect(try folder.bytes("y") == [1])
    #expect(try folder.names() == ["y"])
  }

  @Test func wordsAreLittleEndianAtAnyAlignment() {
    let bytes = (1...10).map { UInt8($0) }
    let words = (0...2).map { bytes.span.word(at: $0) }
    #expect(words == [0x0807_0605_0403_0201, 0x0908_0706_0504_0302, 0x0A09_0807_0605_0403])
  }
}
