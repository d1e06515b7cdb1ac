import GPT2
import Machine
import TestSupport
import Testing

/// Files that are no checkpoints: each is refused with a sentence that names what is off.
@Suite struct BadCheckpointTests {
  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory() }

  private func refusal(_ bytes: [UInt8]) throws -> String? {
    let path = try directory.write(bytes)
    return sentence { _ = try Checkpoint(path: path) }
      .map { $0.replacing(path, with: "FILE") }
  }

  @Test func missingFilesAndDirectories() {
    let path = directory.path + "/none.bin"
    #expect(sentence { _ = try Checkpoint(path: path) } == FileError.notFound(path: path).description)
    #expect(
      sentence { _ = try Checkpoint(path: directory.path) }
        == "\(directory.path): the directory should be a Hugging Face checkpoint, but is one without config.json."
    )
  }

  @Test func emptyFile() throws {
    #expect(
      try refusal([])
        == "FILE: the file's size should be at least the 1024 bytes of a header of an llm.c checkpoint, but is empty."
    )
  }

  @Test(arguments: [1, 3, 5])
  func everyTruncation(version: Int32) throws {
    let whole = try TinyModel.checkpoint(version: version, padded: version == 1 ? 5 : 7)
    for length in 0..<whole.count {
      let text = try #require(try refusal(Array(whole[..<length])), "accepted with \(length) bytes")
      #expect(text.contains("the file's size"), "\(length) bytes: \(text)")
    }
    #expect(try refusal(whole) == nil)
    let tooLong = try #require(try refusal(whole + [0]))
    #expect(
      tooLong
        == "FILE: the file's size should be the \(whole.count) bytes that its header says, but is "
        + "\(whole.count + 1) bytes, 1 too many.")
  }

  @Test(
    arguments: [
      (20_240_327, "an llm.c debug state"), (20_240_328, "an llm.c tokenizer"),
      (20_240_520, "an llm.c data file"), (20_240_522, "an llm.c HellaSwag file"),
    ] as [(Int32, String)])
  func filesOfOtherKinds(magic: Int32, kind: String) throws {
    #expect(
      try refusal(FileBytes(header: [magic, 1]).bytes)?
        .hasPrefix(
          "FILE: the file should be an llm.c checkpoint, nanoGPT's ckpt.pt, or a model's directory, but is \(kind): it "
            + "goes behind --") == true)
  }

  @Test func wrongMagicAndVersion() throws {
    #expect(
      try refusal(FileBytes(header: [7, 3]).bytes)
        == "FILE: the magic number should be 20240326, that of an llm.c checkpoint, but is 7.")
    for version: Int32 in [-1, 0, 2, 4, 6] {
      #expect(
        try refusal(FileBytes(header: TinyModel.header(version: version, padded: 128)).bytes)
          == "FILE: the version should be 1 or 3 or 5, but is \(version).")
    }
  }

  @Test(arguments: [
    (2, "the maximum sequence length"), (3, "the vocabulary size"), (4, "the number of layers"),
    (5, "the number of heads"), (6, "the number of channels"), (7, "the padded vocabulary size"),
  ])
  func sizesBelowOne(field: Int, name: String) throws {
    for size: Int32 in [0, -1, .min] {
      var header = TinyModel.header(version: 3, padded: 128)
      header[field] = size
      #expect(
        try refusal(FileBytes(header: header).bytes) == "FILE: \(name) should be at least 1, but is \(size).")
    }
  }

  @Test func inconsistentSizes() throws {
    var header = TinyModel.header(version: 3, padded: 4)
    #expect(
      try refusal(FileBytes(header: header).bytes)
        == "FILE: the padded vocabulary size should be at least the vocabulary size 5, but is 4.")
    header = TinyModel.header(version: 3, padded: 128)
    header[6] = 3
    #expect(
      try refusal(FileBytes(header: header).bytes)
        == "FILE: the number of channels should be a multiple of the 2 heads, but is 3.")
  }

  /// Sizes that a file of a few bytes claims must not be allocated or overflow on the way to the error.
  @Test func absurdSizes() throws {
    let whole = try TinyModel.checkpoint(version: 3, padded: 7)
    for field in 2...7 {
      for size in [2, 1000, 65536, Int32.max - 1, .max] {
        var bytes = whole
        bytes.replaceSubrange(4 * field..<4 * field + 4, with: FileBytes.littleEndian(size))
        guard bytes != whole else { continue }
        // The vocabulary is not in the size of a padded file; below 7 it is another, valid one.
        if field == 3 && size < 7 { continue }
        #expect(try refusal(bytes) != nil, "field \(field) is \(size)")
      }
    }
    let largest = [20_240_326, 3, Int32.max, .max, .max, 1, .max, .max]
    #expect(
      try refusal(FileBytes(header: largest).bytes)
        == "FILE: a model of these sizes has more parameters than can be addressed.")
  }

  /// Any one bit of the sizes flipped makes the file another model's, and of another length; only the number
  /// of heads is not in the length.
  @Test func everyFlippedBitOfTheHeader() throws {
    let whole = try TinyModel.checkpoint(version: 3, padded: 7)
    for bit in 0..<32 * 8 where !(5 * 32..<6 * 32).contains(bit) {
      var bytes = whole
      bytes[bit / 8] ^= 1 << (bit % 8)
      let isVocabulary = (3 * 32..<4 * 32).contains(bit)
      // V is not in the length of a padded file, and 4, 7 and 1 are vocabularies too.
      let text = try refusal(bytes)
      if isVocabulary && bit % 32 < 3 {
        #expect(text == nil, "bit \(bit)")
      } else {
        #expect(text != nil, "bit \(bit)")
      }
    }
  }
}
