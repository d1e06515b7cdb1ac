import Foundation
import TestSupport
import Testing

/// Standard input, output and error that are closed, or full.
@Suite struct DescriptorTests {
  private static let train =
    #""$0" train --layers 1 --heads 1 --channels 8 --vocabulary 29 --context 8 --batch-size 1 --sequence-length 4"#
    + #" --steps 2 --train-data '\#(TrainCase.tiny.tokensInt32.path)'"#

  /// The log must not become descriptor 1, and with it what the console prints.
  @Test func resultsThatCannotBeWritten() throws {
    for (redirection, reason) in [(">&-", "Bad file descriptor"), ("> /dev/full", "No space left")] {
      try TemporaryDirectory.with { directory in
        let run = try Executable.shell("\(Self.train) --log log.jsonl \(redirection)", in: directory)
        expectRefusal(run, "standard output cannot be written: \(reason)")
        let log = try String(contentsOf: directory.appending(path: "log.jsonl"), encoding: .utf8)
        #expect(log.split(separator: "\n").allSatisfy { $0.hasPrefix("{\"event\":") }, "\(log)")
      }
    }
  }

  @Test func withoutStandardErrorAndInput() throws {
    try TemporaryDirectory.with { directory in
      let run = try Executable.shell("\(Self.train) --log log.jsonl 2>&- <&-", in: directory)
      #expect(run.exitCode == 0 && run.output.contains("2 steps"))
      #expect(try TrainCase.log(directory.appending(path: "log.jsonl")).count == 4)
      let refused = try Executable.shell(#""$0" inspect /none >&- 2>&- <&-"#, in: directory)
      #expect(refused.exitCode == 1)
    }
  }

  /// No file becomes descriptor 0, whoever reads it then.
  @Test func aClosedInputIsThere() throws {
    try TemporaryDirectory.with { directory in
      let run = try Executable.shell(
        #"""
        \#(Self.train) --steps 1000000 --log log.jsonl <&- > /dev/null &
        for n in $(seq 200); do
          [ "$(readlink /proc/$!/fd/0)" = /dev/null ] && [ -s log.jsonl ] && break
          sleep 0.05
        done
        readlink /proc/$!/fd/0
        kill $!
        wait
        """#, in: directory)
      #expect(run.output == "/dev/null\n", "\(run.errors)")
    }
  }

  @Test func aPromptFromAClosedInput() throws {
    try TemporaryDirectory.with { directory in
      expectRefusal(
        try Executable.shell(
          #""$0" generate --checkpoint '\#(TrainCase.tiny.model.path)' - <&-"#, in: directory),
        "standard input cannot be read: Bad file descriptor")
    }
  }

  /// A limit on the size of files is a full disk that needs no rights: 512 bytes or 1 KiB a unit.
  @Test func aFullDisk() throws {
    try TemporaryDirectory.with { directory in
      func files() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
      }
      try Data(repeating: 0x61, count: 1 << 20).write(to: directory.appending(path: "a.txt"))
      let tokenize = #"ulimit -f 64; "$0" tokenize a.txt --vocabulary bytes --output-directory n/m --name x"#
      let run = try Executable.shell(tokenize, in: directory)
      expectRefusal(run, "n/m/x_", "cannot be written: File too large")
      #expect(!run.errors.contains("temporary"), "\(run.errors)")
      #expect(try files() == ["a.txt"])
      let convert = try Executable.shell(
        #"ulimit -f 2; "$0" convert '\#(TrainCase.tiny.model.path)' hf"#, in: directory)
      expectRefusal(convert, "hf/model.safetensors cannot be written: File too large")
      #expect(try files() == ["a.txt"])
      let log = try Executable.shell(
        "ulimit -f 2; \(Self.train) --steps 100 --log log.jsonl > /dev/null", in: directory)
      expectRefusal(log, "log.jsonl cannot be written: File too large")
      let lines = try TrainCase.log(directory.appending(path: "log.jsonl"))
      #expect(lines.count > 2 && lines[1].event == "train")
    }
  }
}
