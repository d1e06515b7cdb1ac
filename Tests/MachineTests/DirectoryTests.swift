import Machine
import TestSupport
import Testing

@Suite struct DirectoryTests {
  @Test func namesAreSortedAndTreesRemoved() throws {
    let scratch = try ScratchDirectory()
    for name in ["tree/b", "tree/a/x", "tree/a/y", "tree/.hidden", "other"] {
      try scratch.write([1], to: name)
    }
    #expect(try Directory.names(in: scratch.path + "/tree") == [".hidden", "a", "b"])
    try Directory.removeTree(at: scratch.path + "/tree")
    #expect(try Directory.names(in: scratch.path) == ["other"])
    // Nothing there is fine.
    try Directory.removeTree(at: scratch.path + "/tree")
    #expect(throws: FileError.notFound(path: scratch.path + "/tree")) {
      try Directory.names(in: scratch.path + "/tree")
    }
  }

  @Test func anAtomicDirectoryAppearsWholeOrNotAtAll() throws {
    let scratch = try ScratchDirectory()
    let path = scratch.path + "/step"
    do {
      let directory = try AtomicDirectory(path: path)
      var file = try AtomicFile(path: directory.temporaryPath + "/file")
      try file.write([1, 2, 3])
      try file.commit()
      let names = try Directory.names(in: scratch.path)
      #expect(names.count == 1 && names.allSatisfy(AtomicDirectory.isTemporary))
    }
    // Dropped without a commit.
    #expect(try Directory.names(in: scratch.path) == [])
    let directory = try AtomicDirectory(path: path)
    try scratch.write([7], to: "inside")
    var file = try AtomicFile(path: directory.temporaryPath + "/file")
    try file.write([1, 2, 3])
    try file.commit()
    try directory.commit()
    #expect(try Directory.names(in: scratch.path) == ["inside", "step"])
    #expect(try Directory.names(in: path) == ["file"])
    // What is there is not replaced.
    let second = try AtomicDirectory(path: path)
    do {
      try second.commit()
      Issue.record("a directory was replaced")
    } catch { #expect("\(error)".contains("step cannot be written"), "\(error)") }
    #expect(try Directory.names(in: scratch.path) == ["inside", "step"])
  }

  @Test func aLockNamesItsHolder() throws {
    let scratch = try ScratchDirectory()
    let path = scratch.path + "/lock"
    var first: FileLock? = try FileLock(path: path)
    #expect(first != nil)
    // Another opening of the file is another holder, in the same process, too.
    #expect(sentence { _ = try FileLock(path: path) }?.contains("locked by another process, number ") == true)
    first = nil
    _ = try FileLock(path: path)
  }
}
