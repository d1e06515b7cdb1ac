import Machine
import Testing

@Suite struct NewDirectoryTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func whatIsNotKeptGoes() throws {
    do { _ = try NewDirectory(path: folder.path("a")) }
    #expect(try folder.names() == [])
    try NewDirectory(path: folder.path("a")).keep()
    #expect(try folder.names() == ["a"])
    // It was there before.
    do { _ = try NewDirectory(path: folder.path("a")) }
    #expect(try folder.names() == ["a"])
    do {
      let made = try NewDirectory(path: folder.path("b"))
      try folder.write("x", to: "b/x")
      _ = made
    }
    #expect(try folder.names().sorted() == ["a", "b"])
  }

  @Test func whereNoneCanBeMade() throws {
    let file = try folder.write([1], to: "file")
    #expect(throws: FileError.exists(path: file)) { try NewDirectory(path: file).keep() }
    let deep = folder.path("none/deep")
    #expect(throws: FileError.noDirectory(path: deep)) { try NewDirectory(path: deep).keep() }
    #expect(throws: FileError.notFound(path: "a\0b")) { try NewDirectory(path: "a\0b").keep() }
  }

  @Test func thoseAroundItAreMadeAndGoToo() throws {
    try folder.write([1], to: "a/file")
    do { _ = try NewDirectory(path: folder.path("a/b/c/d"), withParents: true) }
    #expect(try folder.names() == ["a"])
    do {
      let made = try NewDirectory(path: folder.path("a/b/c"), withParents: true)
      try folder.write([1], to: "a/b/file")
      _ = made
    }
    #expect(try Directory.names(in: folder.path("a/b")) == ["file"])
    try NewDirectory(path: folder.path("x/y"), withParents: true).keep()
    #expect(try Directory.names(in: folder.path("x")) == ["y"])
    // Nothing stays of what could be made.
    #expect(throws: FileError.self) {
      try NewDirectory(path: folder.path("n/m/\(String(repeating: "x", count: 300))"), withParents: true)
        .keep()
    }
    #expect(try folder.names() == ["a", "x"])
  }
}
