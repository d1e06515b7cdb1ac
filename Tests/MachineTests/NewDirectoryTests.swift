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
}
