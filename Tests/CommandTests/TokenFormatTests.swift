import Foundation
import TestSupport
import Testing

/// Token files of every format train and evaluate as the original's raw int32, or are refused by name.
@Suite struct TokenFormatTests {
  private static let tiny = ReferenceCase.tiny

  /// Runs `body` with the path of a file of these bytes.
  private func withFile<Result>(_ bytes: [UInt8], _ body: (URL) throws -> Result) throws -> Result {
    try TemporaryDirectory.with { directory in
      let url = directory.appending(path: "tokens.bin")
      try Data(bytes).write(to: url)
      return try body(url)
    }
  }

  private func train(_ bytes: [UInt8], _ more: String...) throws -> Run {
    try withFile(bytes) { url in
      try Executable.run(
        TrainCase.arguments(data: url) + ["--sample-every", "0"] + more, in: url.deletingLastPathComponent())
    }
  }

  /// The lines of a run that tell losses, without the times.
  private func losses(_ run: Run) -> [String] {
    run.lines.filter { $0.hasPrefix("step ") }.map { String($0.prefix { $0 != "m" }.prefix(30)) }
  }

  private func inspect(_ bytes: [UInt8], _ more: String...) throws -> Run {
    try withFile(bytes) { url in
      try Executable.run(["inspect", url.path] + more, in: url.deletingLastPathComponent())
    }
  }

  private static func files() throws -> [(kind: String, bytes: [UInt8], option: [String])] {
    let tokens = try tiny.tokens()
    func array<Integer: FixedWidthInteger>(_: Integer.Type) -> [Integer] { tokens.map { Integer($0) } }
    var long = FileBytes(header: [20_240_801, 7, Int32(tokens.count)])
    long.append(tokens)
    var files: [(String, [UInt8], [String])] = [
      ("raw token file, uint16", NumpyBytes.littleEndian(array(UInt16.self)), []),
      ("raw token file, uint16", NumpyBytes.littleEndian(array(UInt16.self)), ["--token-type", "uint16"]),
      ("raw token file, int32", NumpyBytes.littleEndian(array(Int32.self)), ["--token-type", "int32"]),
      ("raw token file, uint32", NumpyBytes.littleEndian(array(Int32.self)), ["--token-type", "uint32"]),
      ("raw token file, int64", NumpyBytes.littleEndian(array(Int64.self)), ["--token-type", "int64"]),
      ("llm.c data file, version 7, uint32", long.bytes, []),
      ("llm.c data file, version 7, uint32", long.bytes, ["--token-type", "uint32"]),
    ]
    for version in [1, 2] {
      let kind = "NumPy array, version \(version), "
      files += [
        (kind + "uint16", NumpyBytes.file(array(UInt16.self), type: "<u2", version: version), []),
        (kind + "int8", NumpyBytes.file(array(Int8.self), type: "|i1", version: version), []),
        (kind + "int32", NumpyBytes.file(array(Int32.self), type: "<i4", version: version), []),
        (
          kind + "int64", NumpyBytes.file(array(Int64.self), type: "<i8", version: version),
          ["--token-type", "int64"]
        ),
      ]
    }
    return files
  }

  @Test func everyFormatHasTheSameTokens() throws {
    let expected = losses(
      try Executable.run(
        TrainCase.arguments() + ["--sample-every", "0"], in: FileManager.default.temporaryDirectory))
    #expect(expected.count > 10)
    for (kind, bytes, option) in try Self.files() {
      let run = try withFile(bytes) { url in
        try Executable.run(
          TrainCase.arguments(data: url) + ["--sample-every", "0"] + option,
          in: url.deletingLastPathComponent())
      }
      #expect(losses(run) == expected, "\(kind) \(option): \(run.errors)")
      let shown = try withFile(bytes) { url in
        try Executable.run(["inspect", url.path] + option, in: url.deletingLastPathComponent())
      }
      let first = try Self.tiny.tokens().prefix(16).map(String.init).joined(separator: " ")
      #expect(shown.output.contains(kind) && shown.output.contains(first), "\(shown)")
    }
  }

  @Test func everyFormatIsEvaluatedAlike() throws {
    func evaluate(_ url: URL, _ option: [String]) throws -> String {
      try Executable.run(
        ["evaluate", "--checkpoint", Self.tiny.model.path, "--json", "--data", url.path] + option,
        in: url.deletingLastPathComponent()
      ).output
    }
    let expected = try evaluate(Self.tiny.tokensInt32, [])
    #expect(expected.contains("\"loss\""))
    for (kind, bytes, option) in try Self.files() {
      #expect(try withFile(bytes) { try evaluate($0, option) } == expected, "\(kind) \(option)")
    }
  }

  @Test func whatCannotBeToldOrReadIsRefused() throws {
    let tokens = try Self.tiny.tokens()
    let (long, short) = (
      NumpyBytes.littleEndian(tokens.map { Int64($0) }), NumpyBytes.littleEndian(tokens.map { UInt16($0) })
    )
    for run in [try train(long), try inspect(long)] {
      expectRefusal(run, "tokens.bin: the type of the token ids should be given", "--token-type int64")
    }
    expectRefusal(try train(short, "--token-type", "int64"), "a multiple of 8 bytes, as it holds int64")
    expectRefusal(try train(short + short, "--token-type", "int32"), "below the vocabulary size 29")
    let array = NumpyBytes.file(tokens, type: "<i4")
    expectRefusal(try train(array, "--token-type", "int64"), "int64, as asked for, but is int32")
    for (bytes, problem) in [
      (NumpyBytes.file(tokens, type: "<f4"), "'<f4'"), (NumpyBytes.file(tokens, type: ">i4"), "big-endian"),
      (NumpyBytes.file(tokens, type: "<i4", shape: "(13, 17)"), "the shape should be that of one row"),
      (NumpyBytes.file(tokens, type: "<i4", order: "True"), "fortran_order"),
      (Array(array.dropLast()), "the file's size"),
    ] {
      expectRefusal(try train(bytes), "tokens.bin", problem)
      expectRefusal(try inspect(bytes), "tokens.bin", problem)
    }
    for type in ["int8", "float32", "uint64"] {
      expectRefusal(try train(array, "--token-type", type), exitCode: 64, type, "int64")
    }
    expectRefusal(
      try inspect([UInt8](try Data(contentsOf: Self.tiny.model)), "--token-type", "uint16"),
      "llm.c checkpoint")
    try TemporaryDirectory.with { directory in
      expectRefusal(
        try Executable.run(["evaluate", "--hellaswag", "x", "--token-type", "uint16"], in: directory),
        exitCode: 64,
        "--token-type")
      expectRefusal(try Executable.run(["train", "--token-type", "uint16"], in: directory), "found")
    }
  }

  /// nanoGPT's folder is a data set by its name.
  @Test func pairsWithoutAName() throws {
    let short = NumpyBytes.littleEndian(try Self.tiny.tokens().map { UInt16($0) })
    try TemporaryDirectory.with { directory in
      let folder = directory.appending(path: "data/letters")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      for name in ["train.bin", "val.bin"] { try Data(short).write(to: folder.appending(path: name)) }
      let arguments = TrainCase.arguments().filter {
        !$0.hasSuffix("-data") && $0 != Self.tiny.tokensInt32.path
      }
      let expected = losses(
        try Executable.run(TrainCase.arguments() + ["--sample-every", "0"], in: directory))
      for choice in [[], ["--dataset", "letters"], ["--data", "data/letters"]] {
        let run = try Executable.run(arguments + ["--sample-every", "0"] + choice, in: directory)
        #expect(losses(run) == expected && run.output.contains("data/letters/train.bin (uint16)"), "\(run)")
      }
    }
  }
}
