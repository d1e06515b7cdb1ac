import Foundation
import TestSupport
import Testing

/// Signals end every subcommand by rule, whoever it is, and leave nothing half done.
@Suite struct EndingTests {
  /// Text for minutes: the same file over and over.
  private static let tokenize =
    #""$0" tokenize $(yes big.txt | head -1000) --vocabulary bytes --shard-tokens 1000000 --output-directory new/out --name x"#

  /// Starts `command` in the background, waits until it writes, and does `then` with its number in `$p`.
  private func script(_ command: String, writesTo pattern: String, then: String) -> String {
    """
    yes 'some text of some words' | head -c 30000000 > big.txt
    \(command) & p=$!
    for i in $(seq 3000); do compgen -G '\(pattern)' > /dev/null && break; sleep 0.01; done
    \(then)
    """
  }

  @Test(arguments: [("HUP", 129), ("INT", 130), ("QUIT", 131), ("TERM", 143)])
  func noTemporaryStays(signal: String, code: Int32) throws {
    try TemporaryDirectory.with { directory in
      let run = try Executable.shell(
        script(Self.tokenize, writesTo: "new/out/.temporary-*", then: "kill -\(signal) $p; wait $p"),
        in: directory)
      #expect(run.exitCode == code && run.errors.isEmpty, "\(run.errors)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["big.txt"])
    }
  }

  @Test(arguments: ["hf", "model.bin"]) func conversionsAreNoException(target: String) throws {
    try TemporaryDirectory.with { directory in
      // GPT-2 (124M) without a byte of its own.
      let (vocabulary, context, layers, channels) = (50304, 1024, 12, 768)
      let numbers = (vocabulary + context + 2 + layers * (12 * channels + 13)) * channels
      let header: [Int32] = [20_240_326, 3, 1024, 50257, 12, 12, 768, 50304]
      let url = directory.appending(path: "big.bin")
      try Data(header.flatMap { FileBytes.littleEndian($0) }).write(to: url)
      try FileHandle(forWritingTo: url).truncate(atOffset: UInt64(1024 + 4 * numbers))
      let temporary = target == "hf" ? "hf.temporary-*/*" : "model.bin.temporary-*"
      let run = try Executable.shell(
        script(#""$0" convert big.bin \#(target)"#, writesTo: temporary, then: "kill -TERM $p; wait $p"),
        in: directory)
      #expect(run.exitCode == 143 && run.errors.isEmpty, "\(run.errors)")
      let left = try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
      #expect(left == ["big.bin", "big.txt"])
    }
  }

  @Test func aHangUpThatIsIgnoredIsIgnored() throws {
    try TemporaryDirectory.with { directory in
      let run = try Executable.shell(
        "trap '' HUP\n"
          + script(
            Self.tokenize, writesTo: "new/out/.temporary-*",
            then: "kill -HUP $p; sleep 0.3; kill -TERM $p; wait $p"), in: directory)
      #expect(run.exitCode == 143)
    }
  }

  private static let canUnshare =
    (try? Executable.shell("unshare --pid --fork true", in: URL(filePath: "/tmp")))?.exitCode == 0

  /// The first process of a container, which the kernel spares what it does not ask for.
  @Test(.enabled(if: canUnshare), arguments: [("INT", 130), ("TERM", 143), ("HUP", 129), ("QUIT", 131)])
  func alsoTheFirstOfAContainer(signal: String, code: Int32) throws {
    try TemporaryDirectory.with { directory in
      let run = try Executable.shell(
        script(
          "unshare --pid --fork " + Self.tokenize, writesTo: "new/out/.temporary-*",
          then: "kill -\(signal) $(cat /proc/$p/task/$p/children); wait $p"), in: directory)
      #expect(run.exitCode == code && run.errors.isEmpty, "\(run.errors)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["big.txt"])
    }
  }

  @Test func aKilledRunCanBeRepeated() throws {
    try TemporaryDirectory.with { directory in
      let killed = try Executable.shell(
        script(Self.tokenize, writesTo: "new/out/.temporary-*/x_*", then: "kill -KILL $p; wait $p"),
        in: directory)
      #expect(killed.exitCode == 137)
      let out = directory.appending(path: "new/out").path
      let left = try FileManager.default.contentsOfDirectory(atPath: out)
      #expect(left.count == 1 && left[0].hasPrefix(".temporary-"))
      // As if it had come to the renames: the manifest and one file have their places.
      let names = ["x_manifest.json", "x_train_000000.bin", "x_train_000001.bin"]
      try Data(names.flatMap { Array($0.utf8) + [0] }).write(to: URL(filePath: "\(out)/\(left[0])/.names"))
      let manifest = """
        {"format":"gpt2 token files","version":1,"vocabulary":{"kind":"bytes","size":257,"end_of_text":256},
        "train":{"tokens":9,"files":["x_train_000000.bin","x_train_000001.bin"]},"val":{"tokens":0,"files":[]}}
        """
      try Data(manifest.utf8).write(to: URL(filePath: "\(out)/x_manifest.json"))
      try Data(count: 36).write(to: URL(filePath: "\(out)/x_train_000000.bin"))
      try Data(count: 36).write(to: URL(filePath: "\(out)/\(left[0])/x_train_000001.bin"))
      try? FileManager.default.removeItem(atPath: "\(out)/\(left[0])/x_train_000000.bin")
      // What has its place tells that it is not all.
      let train = [
        "train", "--data", "new/out", "--vocabulary", "257", "--layers", "1", "--heads", "1", "--channels",
        "8",
        "--context", "8", "--batch-size", "1", "--sequence-length", "4", "--steps", "1",
      ]
      expectRefusal(
        try Executable.run(train, in: directory),
        "new/out/x_manifest.json: x_train_000001.bin should be there")
      let arguments = [
        "tokenize", "big.txt", "--vocabulary", "bytes", "--output-directory", "new/out", "--name", "x",
      ]
      let repeated = try Executable.run(arguments, in: directory)
      #expect(repeated.exitCode == 0, "\(repeated.errors)")
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: out).sorted() == [
          "x_manifest.json", "x_train.bin", "x_val.bin",
        ])
      expectRefusal(try Executable.run(arguments, in: directory), "exists already")
    }
  }

  /// Data and checkpoints, while they are used.
  @Test func aMappedFileThatShrinks() throws {
    try TemporaryDirectory.with { directory in
      let run = try Executable.shell(
        """
        head -c 40000000 /dev/zero > data.bin
        "$0" train --layers 4 --heads 4 --channels 256 --vocabulary 29 --context 64 --train-data data.bin \\
          --batch-size 2 --sequence-length 64 --steps 1000000 --save run --save-every 1 > /dev/null & p=$!
        for i in $(seq 3000); do compgen -G 'run/step-*' > /dev/null && break; sleep 0.01; done
        : > data.bin
        wait $p
        """, in: directory)
      expectRefusal(run, "data.bin should stay as it is while it is used, but has shrunk")
      let left = try FileManager.default.contentsOfDirectory(atPath: directory.appending(path: "run").path)
      #expect(!left.contains { $0.contains(".temporary-") }, "\(left)")
    }
  }

  /// A training run whose data are changed by `change` as soon as it trains.
  private func trainWhile(_ change: String, in directory: URL) throws -> Run {
    try Executable.shell(
      """
      cp '\(TrainCase.tiny.tokensInt32.path)' data.bin
      "$0" train --layers 1 --heads 1 --channels 8 --vocabulary 29 --context 8 --train-data data.bin --batch-size 1 \\
        --sequence-length 8 --steps 100000000 --sample-every 0 --print-every 0 --log log.jsonl > /dev/null & p=$!
      for i in $(seq 3000); do grep -q train log.jsonl 2> /dev/null && break; sleep 0.01; done
      \(change)
      wait $p
      """, in: directory)
  }

  /// The page that has its end stays, with zeros.
  @Test func aMappedFileThatShrinksWithinItsLastPage() throws {
    try TemporaryDirectory.with { directory in
      expectRefusal(
        try trainWhile("truncate -s 800 data.bin", in: directory),
        "data.bin should stay as it is while it is read, but was changed meanwhile, from 884 bytes to 800")
      let log = try String(contentsOf: directory.appending(path: "log.jsonl"), encoding: .utf8)
      #expect(log.contains(#""error":"data.bin should stay as it is"#))
    }
    // Another one in its place, or none, is not the one that is read.
    try TemporaryDirectory.with { directory in
      let run = try trainWhile(
        "head -c 800 data.bin > new; mv new data.bin; sleep 0.3; rm data.bin; sleep 0.3; kill -TERM $p",
        in: directory)
      #expect(run.exitCode == 143 && run.errors.isEmpty, "\(run.errors)")
    }
  }
}
