import TestSupport
import Testing
import Tokens

/// What files of other types and headers hold.
@Suite struct TokenTypeTests {
  private let directory: ScratchDirectory

  init() throws { directory = try ScratchDirectory() }

  private func tokens(_ bytes: [UInt8], type: TokenType? = nil, vocabularySize: Int? = nil) throws -> [Int32]
  {
    let file = try TokenFile(path: directory.write(bytes), type: type, vocabularySize: vocabularySize)
    #expect((0..<file.count).map { file.token(at: $0) } == file.tokens(in: 0..<file.count))
    return file.tokens(in: 0..<file.count)
  }

  private func refusal(_ bytes: [UInt8], type: TokenType? = nil, vocabularySize: Int? = nil) throws -> String?
  {
    let path = try directory.write(bytes)
    return sentence { _ = try TokenFile(path: path, type: type, vocabularySize: vocabularySize) }.map {
      $0.replacing(path, with: "FILE")
    }
  }

  private static func random(_ count: Int, below bound: Int32) -> [Int32] {
    var generator = XorshiftGenerator(seed: 7)
    return (0..<count).map { _ in Int32.random(in: 0..<bound, using: &generator) }
  }

  private static func raw(_ tokens: [Int32], _ type: TokenType) -> [UInt8] {
    switch type {
    case .uint16: NumpyBytes.littleEndian(tokens.map { UInt16($0) })
    case .int64: NumpyBytes.littleEndian(tokens.map { Int64($0) })
    default: NumpyBytes.littleEndian(tokens)
    }
  }

  /// From vocabularies of one byte to those beyond 16 bits, of an even and an odd number of tokens, with and without the
  /// vocabulary known, from a few tokens to more than are looked at.
  @Test(arguments: [5, 29, 65, 257, 50257, 65536, 100_000, 200_000] as [Int32])
  func rawTypesAreToldApart(vocabulary: Int32) throws {
    for count in [64, 101, 5000, 600_001] {
      let tokens = Self.random(count, below: vocabulary)
      for size in [nil, Int(vocabulary)] {
        let isSame = try self.tokens(Self.raw(tokens, .int32), vocabularySize: size) == tokens
        #expect(isSame, "int32, \(count)")
        if vocabulary <= 1 << 16 {
          let isSame = try self.tokens(Self.raw(tokens, .uint16), vocabularySize: size) == tokens
          #expect(isSame, "uint16, \(count)")
        }
        #expect(
          try refusal(Self.raw(tokens, .int64))
            == "FILE: the type of the token ids should be given, with --token-type int64 (or int32, where they are "
            + "right), but is not told by a file that has no header and whose every second int32 is 0.")
      }
      for type in TokenType.raw where type != .uint16 || vocabulary <= 1 << 16 {
        let isSame = try self.tokens(Self.raw(tokens, type), type: type) == tokens
        #expect(isSame, "\(type), \(count)")
      }
    }
  }

  /// A frequent token 0, or ids that are none, do not make other types of them.
  @Test func rawTypesWithManyZeros() throws {
    var tokens = Self.random(4000, below: 50257).enumerated().map { $0 % 5 == 0 ? $1 : 0 }
    for type in [TokenType.int32, .uint16] { #expect(try self.tokens(Self.raw(tokens, type)) == tokens) }
    tokens = Self.random(4000, below: 50257)
    tokens[2000] = -1
    tokens[2001] = .max
    #expect(try self.tokens(Self.raw(tokens, .int32), vocabularySize: 50257) == tokens)
    #expect(try self.tokens([UInt8](repeating: 0, count: 80)) == [Int32](repeating: 0, count: 20))
  }

  /// What training marks, and ids beyond the model's vocabulary, make no other type of them.
  @Test func someNumbersAreNoIds() throws {
    var tokens = Self.random(20_000, below: 200)
    tokens[100] = -100
    let refusal = try refusal(Self.raw(tokens, .int64), vocabularySize: 65536)
    #expect(refusal?.contains("--token-type int64") == true)
    tokens = Self.random(20_000, below: 150_000)
    #expect(try self.tokens(Self.raw(tokens, .int32), vocabularySize: 65536) == tokens)
  }

  @Test func sizesOfGivenTypes() throws {
    for type in TokenType.raw {
      let size = type == .uint16 ? 2 : type == .int64 ? 8 : 4
      #expect(
        try refusal([UInt8](repeating: 1, count: 3 * size + 1), type: type)
          == "FILE: the file's size should be a multiple of \(size) bytes, as it holds \(type.rawValue) token ids, but "
          + "is \(3 * size + 1) bytes.")
    }
  }

  /// Nobody's vocabulary has ids that 32 bits do not hold.
  @Test func idsBeyond32Bits() throws {
    let path = try directory.write(NumpyBytes.littleEndian([1, 1 << 40, -5] as [Int64]))
    let file = try TokenFile(path: path, type: .int64)
    #expect(file.tokens(in: 0..<3) == [1, .max, -5])
    #expect(
      sentence { try file.validate(vocabularySize: 9) }
        == "\(path): the token at position 1 should be below the vocabulary size 9 and not negative, but is "
        + "1099511627776.")
  }

  @Test func whatWasGuessedIsSaidWhereItDoesNotFit() throws {
    let path = try directory.write(
      NumpyBytes.littleEndian(Self.random(65, below: 9).map { UInt16($0) } + [60000]))
    let file = try TokenFile(path: path, vocabularySize: 9)
    #expect(
      sentence { try file.validate(vocabularySize: 9) }
        == "\(path): the token at position 65 should be below the vocabulary size 9 and not negative, but is 60000, "
        + "read as the uint16 that the file looks like: --token-type TYPE says another.")
  }

  @Test func llmFilesOf32Bits() throws {
    let tokens: [Int32] = [0, 128_255, 5, 65_536]
    var file = FileBytes(header: [20_240_801, 7, 4])
    file.append(tokens)
    #expect(try self.tokens(file.bytes) == tokens)
    #expect(try self.tokens(file.bytes, type: .uint32) == tokens)
    #expect(
      try refusal(file.bytes, type: .int64)
        == "FILE: the type of the token ids should be int64, as asked for, but is uint32, as the file's header says."
    )
    for length in 5..<file.bytes.count {
      #expect(try refusal(Array(file.bytes[..<length])) != nil, "accepted with \(length) bytes")
    }
  }

  // MARK: - NumPy

  @Test(arguments: [1, 2])
  func numpyArraysOfEveryInteger(version: Int) throws {
    let tokens: [Int32] = [0, 1, 127, 5]
    func file<Integer: FixedWidthInteger>(_ type: String, _: Integer.Type) -> [UInt8] {
      NumpyBytes.file(tokens.map { Integer($0) }, type: type, version: version)
    }
    let files = [
      file("|u1", UInt8.self), file("|i1", Int8.self), file("<u2", UInt16.self), file("<i2", Int16.self),
      file("<u4", UInt32.self), file("<i4", Int32.self), file("<u8", UInt64.self), file("<i8", Int64.self),
    ]
    for bytes in files {
      #expect(try self.tokens(bytes) == tokens)
      for length in 6..<bytes.count {
        #expect(try refusal(Array(bytes[..<length])) != nil, "\(length) bytes")
      }
      #expect(try refusal(bytes + [0])?.contains("the file's size should be that of the 4 ") == true)
    }
    #expect(try self.tokens(NumpyBytes.file([] as [Int32], type: "<i4", version: version)) == [])
    let other = #"{"shape":(2,),"fortran_order":False,"descr":"<u2"}"#
    #expect(try self.tokens(NumpyBytes.file(text: other, version: version) + [1, 0, 2, 1]) == [1, 258])
  }

  @Test func numpyArraysOfOtherThings() throws {
    let numbers: [Int32] = [1, 2, 3, 4]
    for (bytes, problem) in [
      (NumpyBytes.file(numbers, type: "<f4"), "the type of the numbers (descr)", "'<f4'"),
      (NumpyBytes.file(numbers, type: ">i4"), "the type of the numbers (descr)", "big-endian, '>i4'"),
      (NumpyBytes.file(numbers, type: "|b1"), "the type of the numbers (descr)", "'|b1'"),
      (NumpyBytes.file(numbers, type: "<i4", order: "True"), "fortran_order", "True"),
      (NumpyBytes.file(numbers, type: "<i4", shape: "(2, 2)"), "the shape", "(2, 2)"),
      (NumpyBytes.file(numbers, type: "<i4", shape: "()"), "the shape", "()"),
      (NumpyBytes.file(numbers, type: "<i4", shape: "(5,)"), "the file's size", "144 bytes"),
      (
        NumpyBytes.file(numbers, type: "<i4", shape: "(4611686018427387904,)"), "the file's size", "144 bytes"
      ),
      (NumpyBytes.file(numbers, type: "<i4", version: 3), "the version of the .npy file", "3"),
    ].map({ ($0.0, (field: $0.1, found: $0.2)) }) {
      let text = try #require(try refusal(bytes), "\(problem)")
      #expect(
        text.hasPrefix("FILE: \(problem.field) should be ") && text.hasSuffix("but is \(problem.found)."),
        "\(text)")
    }
    for text in [
      "", "{", "{}", "{'descr': '<i4'}", "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (0,), }",
      "{'descr': '<i4', 'descr': '<i4', 'fortran_order': False, 'shape': (0,), }",
      "{'descr': '<i4', 'fortran_order': 0, 'shape': (0,), }",
      "{'descr': '<i4', 'fortran_order': False, 'shape': 0, }",
      "{'descr': '<i4', 'fortran_order': False, 'shape': (-1,), }",
      "{'descr': '<i4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
      "{'descr': '<i4', 'fortran_order': False, 'shape': (0,), 'more': 1}",
      "{'descr': '<i4', 'fortran_order': False, 'shape': (0,), } x",
    ] {
      let found = try #require(try refusal(NumpyBytes.file(text: text)), "\(text)")
      #expect(found.hasPrefix("FILE: byte "), "\(found)")
    }
  }
}
