import Foundation
import Machine
import TestSupport
import Testing

@Suite struct DirectoryTreeTests {
  private let scratch: ScratchDirectory

  init() throws { scratch = try ScratchDirectory() }

  private func link(_ name: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(
      atPath: scratch.path + "/" + name, withDestinationPath: target)
  }

  @Test func kindsAreAskedOfTheFileSystem() throws {
    for name in ["b.txt", "a.txt/inside.txt", "a.txt/deep/x.bin", ".hidden/x.txt", "z/.hidden.txt"] {
      try scratch.write([1], to: name)
    }
    #expect(unsafe mkfifo(scratch.path + "/pipe.txt", 0o600) == 0)
    let tree = try DirectoryTree(path: scratch.path)
    #expect(tree.files == ["a.txt/deep/x.bin", "a.txt/inside.txt", "b.txt"])
    #expect(tree.passedOver.isEmpty)
    #expect(tree.others.map(\.path) == ["a.txt", "a.txt/deep", "pipe.txt", "z"])
    #expect(tree.others[0].error == .isDirectory(path: scratch.path + "/a.txt"))
    #expect(tree.others[2].error == .notRegularFile(path: scratch.path + "/pipe.txt"))
  }

  @Test func linksAreFollowedOnce() throws {
    for name in ["real/x.txt", "z/y.txt"] { try scratch.write([1], to: name) }
    try link("a-link", to: "real")
    try link("real/round", to: "..")
    try link("file.txt", to: "z/y.txt")
    try link("nothing.txt", to: "none")
    try link("self", to: "self")
    let other = try ScratchDirectory()
    try other.write([1], to: "o.txt")
    try link("b-link", to: other.path)
    try link("c-link", to: other.path)
    let tree = try DirectoryTree(path: scratch.path + "/")
    #expect(tree.files == ["b-link/o.txt", "file.txt", "real/x.txt", "z/y.txt"])
    #expect(tree.passedOver.count == 2)
    #expect(tree.passedOver.first == .notFound(path: scratch.path + "/nothing.txt"))
  }

  @Test func whatIsNoDirectory() throws {
    try scratch.write([1], to: "file")
    #expect(throws: FileError.self) { _ = try DirectoryTree(path: scratch.path + "/file") }
    #expect(throws: FileError.notFound(path: scratch.path + "/none")) {
      _ = try DirectoryTree(path: scratch.path + "/none")
    }
  }
}
