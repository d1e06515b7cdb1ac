import TestSupport
import Testing
import Tokens

@Suite struct DiscoveryTests {
  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory() }

  private func write(_ names: [String]) throws {
    for name in names { try directory.write([0, 0, 0, 0], to: name) }
  }

  @Test func pairsAreFoundInSubdirectoriesAndSorted() throws {
    try write([
      "b_train.bin", "b_val.bin", "web/deep/part_train.bin", "web/deep/part_val.bin", "a/x_train.bin",
      "a/x_val.bin", "lonely_train.bin", "other.bin", "train.bin", "val.bin", ".cache/c_train.bin",
      ".cache/c_val.bin",
    ])
    let found = try DataSet.discover(in: directory.path)
    // train.bin and val.bin have the folder's name.
    let own = String(directory.path.split(separator: "/").last ?? "")
    #expect(found.map(\.name) == ["a/x", "b", own, "web/deep/part"])
    #expect(found[2].training == [directory.path + "/train.bin"])
    #expect(found[3].training == [directory.path + "/web/deep/part_train.bin"])
    #expect(found[3].validation == [directory.path + "/web/deep/part_val.bin"])
    #expect(try TokenFile(path: found[3].training[0]).count == 1)
    #expect(try DataSet.discover(in: directory.path + "/") == found)
  }

  /// nanoGPT's, whose folder has their name; a set of that name itself comes first.
  @Test func pairsWithoutANameHaveTheirFolders() throws {
    try write([
      "char/train.bin", "char/val.bin", "char_train.bin", "char_val.bin", "deep/web/train.bin",
      "deep/web/val.bin",
      "half/train.bin", "other/val.bin", "shards/train_000000.bin", "shards/val_000000.bin",
    ])
    let found = try DataSet.discover(in: directory.path)
    #expect(found.map(\.name) == ["char", "char", "deep/web"])
    #expect(found[0].training == [directory.path + "/char_train.bin"])
    #expect(found[1].training == [directory.path + "/char/train.bin"])
    #expect(found[1].validation == [directory.path + "/char/val.bin"])
    #expect(
      try DataSet.choose("web", among: DataSet.discover(in: directory.path), in: directory.path) == found[2])
    #expect(
      sentence { _ = try DataSet.discover(in: directory.path + "/half") }?.contains("found only train.bin")
        == true)
  }

  @Test func setsAreChosenByNameOrTheFirst() throws {
    try write([
      "b_train.bin", "b_val.bin", "x/b_train.bin", "x/b_val.bin", "x/c_train.bin", "x/c_val.bin",
      "y/d_train.bin", "y/d_val.bin", "z/d_train.bin", "z/d_val.bin",
    ])
    #expect(
      try DataSet.choose(nil, among: DataSet.discover(in: directory.path), in: directory.path).name == "b")
    #expect(
      try DataSet.choose("b", among: DataSet.discover(in: directory.path), in: directory.path).name == "b")
    #expect(
      try DataSet.choose("x/b", among: DataSet.discover(in: directory.path), in: directory.path).name == "x/b"
    )
    #expect(
      try DataSet.choose("c", among: DataSet.discover(in: directory.path), in: directory.path).name == "x/c")
    for name in ["d", "x", "", "b_train.bin"] {
      #expect(
        sentence {
          _ = try DataSet.choose(name, among: DataSet.discover(in: directory.path), in: directory.path)
        }
          == "\(directory.path): the data set should be one of b, x/b, x/c, y/d, z/d, but is '\(name)'.")
    }
  }

  @Test func nothingFoundIsSaidWithWhatIsThere() throws {
    #expect(
      sentence { _ = try DataSet.discover(in: directory.path) }
        == "\(directory.path): there should be a pair NAME_train.bin and NAME_val.bin in it or below, but no "
        + "such file was found; files of other names can be given one by one.")
    try write(["b_val.bin", "a_train.bin"])
    #expect(
      sentence { _ = try DataSet.discover(in: directory.path) }
        == "\(directory.path): there should be a pair NAME_train.bin and NAME_val.bin in it or below, but found "
        + "only a_train.bin, b_val.bin.")
    for path in [directory.path + "/none", directory.path + "/b_val.bin"] {
      #expect(
        sentence { _ = try DataSet.discover(in: path) }
          == "\(path): the data directory should exist and be readable, but is not.")
    }
  }
}
