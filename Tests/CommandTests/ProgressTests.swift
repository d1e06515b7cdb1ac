import Foundation
import TestSupport
import Testing

/// Progress on a terminal, which `script` is to the program.
@Suite struct ProgressTests {
  private static let hasScript = FileManager.default.isExecutableFile(atPath: "/usr/bin/script")

  /// What the terminal gets while a text is tokenized.
  private func output(term: String, columns: Int) throws -> String {
    try TemporaryDirectory.with { directory in
      let run = try Executable.shell(
        """
        yes 'some text' | head -c 30000000 > a.txt
        export TERM='\(term)' GPT2="$0"
        script -qec 'stty cols \(columns) < /dev/tty
          "$GPT2" tokenize a.txt a.txt a.txt --vocabulary bytes --output-directory out --name x' /dev/null
        """, in: directory)
      #expect(run.exitCode == 0 && run.output.contains("manifest"), "\(run.errors)\(run.output)")
      return run.output
    }
  }

  @Test(.enabled(if: hasScript)) func linesFitTheTerminal() throws {
    for columns in [20, 40] {
      let lines = try output(term: "xterm", columns: columns).components(separatedBy: "\r\u{1B}[K")
        .dropFirst()
        .filter { !$0.isEmpty && !$0.contains("\r\n") }
      #expect(!lines.isEmpty && lines.allSatisfy { $0.count < columns }, "\(lines)")
      #expect(lines.contains { $0.count == columns - 1 }, "\(lines)")
    }
  }

  /// The live line of training: all of it where there is room, else what matters most.
  @Test(.enabled(if: hasScript)) func trainingShowsWhereItIs() throws {
    func lines(columns: Int) throws -> [String] {
      try TemporaryDirectory.with { directory in
        let arguments = TrainCase.arguments() + ["--sample-every", "0", "--threads", "1"]
        let run = try Executable.shell(
          """
          export TERM=xterm
          script -qec 'stty cols \(columns) < /dev/tty; "\(Executable.url.path)" \(arguments.joined(separator: " "))' \
            /dev/null
          """, in: directory)
        #expect(run.exitCode == 0, "\(run.output)")
        return run.output.components(separatedBy: "\r\u{1B}[K").filter { $0.contains(" of 10 steps") }
      }
    }
    let wide = try lines(columns: 160)
    #expect(wide.count >= 9)
    let whole =
      /9 of 10 steps  loss \d\.\d{4}  smoothed \d\.\d{4}  val \d\.\d{4}  lr \S+  norm \S+  \d+ tok\/s  \d+ % of peak  \d:\d\d left/
    #expect(wide.contains { $0.wholeMatch(of: whole) != nil }, "\(wide)")
    let narrow = try lines(columns: 40)
    #expect(
      narrow.contains { $0.wholeMatch(of: /9 of 10 steps  loss \d\.\d{4}  \d:\d\d left/) != nil }, "\(narrow)"
    )
  }

  @Test(.enabled(if: hasScript), arguments: ["dumb", ""])
  func noEscapesWhereTheTerminalHasNone(term: String) throws {
    #expect(!(try output(term: term, columns: 80).contains("\u{1B}")))
  }
}
