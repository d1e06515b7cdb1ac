import Foundation
import TestSupport
import Testing

/// Names of files are bytes, and what people are shown of them steers nothing.
@Suite struct FileNameTests {
  private func tokenize(_ files: String) -> String {
    #""$0" tokenize \#(files) --vocabulary bytes --val-fraction 0.5 --output-directory $'o\xff' --name $'x\xf0'"#
  }

  private static let train =
    #""$0" train --layers 1 --heads 1 --channels 8 --vocabulary 257 --context 8 --batch-size 1 --sequence-length 4"#

  @Test func namesThatAreNoUTF8() throws {
    try TemporaryDirectory.with { directory in
      let run = try Executable.shell(
        """
        set -e
        mkdir $'n\\xff' $'n\\xff/\\xfe'
        echo 'a text that is long enough' | tee $'n\\xff/\\xfe/a\\xfe.txt' > $'n\\xff/b\\xc3.txt'
        \(tokenize("$'n\\xff'"))
        \(Self.train) --steps 1 --data $'o\\xff' --save $'r\\xff' --log $'l\\xff' --output $'m\\xff.bin' > /dev/null
        # Its options, the names among them, come from what was saved.
        rm $'m\\xff.bin'
        "$0" train --save $'r\\xff' --resume --steps 2 > /dev/null
        "$0" inspect $'m\\xff.bin' > /dev/null
        "$0" convert $'r\\xff' $'h\\xff' > /dev/null
        "$0" evaluate --checkpoint $'h\\xff' --data $'o\\xff/x\\xf0_val.bin' > /dev/null
        LC_ALL=C ls -b . $'o\\xff'
        """, in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(run.output.contains(#"manifest    o\xFF/x\xF0_manifest.json"#), "\(run.output)")
      #expect(run.output.contains("2 documents"), "\(run.output)")
      let names =
        #".:|h\377|l\377|m\377.bin|n\377|o\377|r\377|o\377:|x\360_manifest.json|x\360_train.bin|x\360_val.bin"#
      #expect(run.lines.suffix(11).joined(separator: "|") == names, "\(run.output)")
    }
  }

  @Test func whatIsShownOfThem() throws {
    try TemporaryDirectory.with { directory in
      func refused(_ script: String, _ fragment: String) throws {
        expectRefusal(try Executable.shell(script, in: directory), fragment)
      }
      try refused(#""$0" inspect $'no\xffne\e[31m'"#, #"no\xFFne\x1B[31m"#)
      try refused(#""$0" convert $'a\nb' c"#, #"a\nb"#)
      // An error of each room, whose names are shown as they come.
      let model = TrainCase.tiny.model.path
      try refused(
        #"printf x > $'t\n.bin'; "$0" evaluate --checkpoint '\#(model)' --data $'t\n.bin'"#, #"t\n.bin: "#)
      try refused(
        #"printf '\1\0\0\0' > $'t\n.bin'; "$0" evaluate --checkpoint '\#(model)' --data $'t\n.bin'"#,
        #"t\n.bin: the file should have at least 2 tokens"#)
      try refused(#""$0" train --checkpoint '\#(model)' --data $'d\n'"#, #"d\n: the data directory"#)
      try refused(
        #"touch $'l\n'; \#(Self.train) --train-data '\#(TrainCase.tiny.tokensInt32.path)' --log $'l\n'"#,
        #"l\n: the log should be a new file"#)
      let usage = try Executable.shell(#""$0" train $'--\e[31m\xff'"#, in: directory)
      expectRefusal(usage, exitCode: 64, #"\x1B[31m\xFF"#)
      let named = try Executable.shell(
        #"cp '\#(TrainCase.tiny.tokensUInt16.path)' $'a\nb\e'; "$0" inspect $'a\nb\e'"#, in: directory)
      #expect(named.output.contains(#"file        a\nb\x1B"#), "\(named.output)")
    }
  }

  /// A tensor's name is a text from a file, too.
  @Test func namesOfTensors() throws {
    try TemporaryDirectory.with { directory in
      let long = String(repeating: "x", count: 2_000_000)
      for (name, shown) in [(#"a\u001b[31m\nb"#, #"a\x1B[31m\nb"#), (long, long.prefix(100) + "…")] {
        let header = #"{"\#(name)":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
        let length = FileBytes.littleEndian(Int32(header.utf8.count)) + [0, 0, 0, 0]
        try Data(length + Array(header.utf8) + [0, 0, 0, 0]).write(
          to: directory.appending(path: "t.safetensors"))
        let run = try Executable.run(["inspect", "t.safetensors"], in: directory)
        #expect(
          run.exitCode == 0 && run.lines.last?.hasPrefix(shown + "  F32") == true, "\(run.output.suffix(200))"
        )
        #expect(run.output.utf8.count < 1000)
      }
    }
  }
}
