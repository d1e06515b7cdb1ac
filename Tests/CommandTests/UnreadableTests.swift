import Foundation
import TestSupport
import Testing

/// What is in the way where data and texts are looked for is named and passed over.
@Suite struct UnreadableTests {
  /// Nobody's rights, where the tests have all.
  private static let asNobody =
    getuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups " : ""

  private static let train =
    asNobody
    + #""$0" train --layers 1 --heads 1 --channels 8 --vocabulary 29 --context 8 --batch-size 1 --sequence-length 4"#
    + " --steps 1"

  @Test func oneFolderHidesNoData() throws {
    try TemporaryDirectory.with { directory in
      let run = try Executable.shell(
        """
        mkdir lost+found A_train.bin A_val.bin; chmod 0 lost+found
        for part in train val; do cp '\(TrainCase.tiny.tokensInt32.path)' B_$part.bin; done
        \(Self.train); code=$?
        chmod 700 lost+found; exit $code
        """, in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(
        run.errorLines.map { $0.dropFirst("warning: passed over: ".count) } == [
          "The system denies permission for ./lost+found.",
          "Expected a file at ./A_train.bin, found a directory.",
          "Expected a file at ./A_val.bin, found a directory.",
        ])
      #expect(run.output.contains("data        ./B_train.bin"), "\(run.output)")
    }
  }

  /// The sums are for those who have no data, and not for those whose data cannot be read.
  @Test func dataThatCannotBeReadAreNotNone() throws {
    try TemporaryDirectory.with { directory in
      let run = try Executable.shell(
        #"mkdir data; chmod 0 data; \#(Self.asNobody) "$0" train --steps 1; code=$?; chmod 700 data; exit $code"#,
        in: directory)
      expectRefusal(run, "denies permission for data")
    }
    for (folder, option) in [("data", ""), ("data", "--data data"), ("other", "--data other")] {
      try TemporaryDirectory.with { directory in
        let run = try Executable.shell(
          """
          mkdir -p \(folder)/closed; chmod 0 \(folder)/closed
          \(Self.asNobody) "$0" train --steps 1 \(option); code=$?
          chmod 700 \(folder)/closed; exit $code
          """, in: directory)
        #expect(run.exitCode == 1 && run.output.isEmpty)
        #expect(
          run.errors == """
            warning: passed over: The system denies permission for \(folder)/closed.
            error: \(folder): there should be a pair NAME_train.bin and NAME_val.bin in it or below, but no such file was \
            found, and what was passed over could not be looked at.

            """)
      }
    }
  }

  /// Pipes and sockets, where files of their names are looked for.
  @Test func whatIsNoFileIsNamed() throws {
    try TemporaryDirectory.with { directory in
      let run = try Executable.shell(
        """
        mkdir -p data/deep; mkfifo data/deep/x_val.bin data/other data/y.txt
        for part in train val; do cp '\(TrainCase.tiny.tokensInt32.path)' data/x_$part.bin; done
        \(Self.train); code=$?
        echo text > data/a.txt
        "$0" tokenize data --vocabulary bytes --output-directory out --name x; exit $((code + $?))
        """, in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(
        run.errors == """
          warning: passed over: Expected a regular file at data/deep/x_val.bin, found a pipe, device or socket.
          warning: passed over: Expected a regular file at data/y.txt, found a pipe, device or socket.

          """)
    }
  }

  /// Where a run, a model or a log should go is tried before the first step.
  @Test(arguments: [
    "--save closed/run", "--output closed/model", "--output closed/model.bin", "--log closed/log.jsonl",
    "--tensorboard closed/board", "--trace closed/trace.json",
  ])
  func whereNothingCanBeWritten(option: String) throws {
    try TemporaryDirectory.with { directory in
      let run = try Executable.shell(
        """
        cp '\(TrainCase.tiny.tokensInt32.path)' tokens.bin; mkdir closed; chmod 555 closed
        \(Self.train) --train-data tokens.bin --token-type int32 \(option); code=$?
        chmod 700 closed; exit $code
        """, in: directory)
      expectRefusal(run, "denies permission for closed/")
      #expect(!run.output.contains("step"), "\(run.output)")
    }
  }

  @Test func aReportThatCannotBeWritten() throws {
    try TemporaryDirectory.with { directory in
      try Data(log(steps: 2).utf8).write(to: directory.appending(path: "a.jsonl"))
      let run = try Executable.shell(
        """
        mkdir closed; chmod 555 closed
        \(Self.asNobody) "$0" report a.jsonl --output closed/report.html; code=$?
        chmod 700 closed; ls closed; exit $code
        """, in: directory)
      expectRefusal(run, "denies permission for closed/")
      #expect(run.output.isEmpty)
    }
  }

  @Test func textsInFolders() throws {
    try TemporaryDirectory.with { directory in
      let run = try Executable.shell(
        """
        mkdir -p in/book.txt in/closed out; chmod 777 out
        echo one > in/book.txt/a.txt; echo two > in/b.txt; echo three > in/c.txt; ln -s none in/d.txt; ln -s . in/again
        chmod 0 in/closed in/c.txt
        \(Self.asNobody)"$0" tokenize in --vocabulary bytes --output-directory out --name x; code=$?
        chmod 700 in/closed; exit $code
        """, in: directory)
      #expect(run.exitCode == 0 && run.output.contains("2 documents, 8 bytes"), "\(run.errors)\(run.output)")
      #expect(
        run.errorLines.map { $0.dropFirst("warning: passed over: ".count) } == [
          "The system denies permission for in/closed.", "Expected a file at in/d.txt, found nothing.",
          "The system denies permission for in/c.txt.",
        ])
    }
  }
}
