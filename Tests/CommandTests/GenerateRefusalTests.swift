import Foundation
import TestSupport
import Testing

/// `gpt2 generate` and bad input: one sentence with what was expected, what was found and where.
@Suite struct GenerateRefusalTests {
  private func refused(
    _ arguments: String..., exitCode: Int32 = 1, contains fragments: String..., tokenizer: Bool = true,
    input: [UInt8]? = nil, sourceLocation: SourceLocation = #_sourceLocation,
    prepare: (URL) throws -> Void = { _ in }
  ) throws {
    try InferenceCase.with(tokenizer: tokenizer) { directory in
      try prepare(directory)
      let run = try Executable.run(["generate"] + arguments, in: directory, input: input)
      expectRefusal(run, exitCode: exitCode, location: sourceLocation)
      #expect(run.output.isEmpty, "\(run.output)", sourceLocation: sourceLocation)
      for fragment in fragments {
        #expect(run.errors.contains(fragment), "\(run.errors)", sourceLocation: sourceLocation)
      }
    }
  }

  @Test func prompts() throws {
    try refused("--tokens", "1,278", contains: "token 1 of the prompt", "0..<278", "278")
    try refused("--tokens", "-1", contains: "-1")
    try refused("--tokens", "1,x", exitCode: 64, contains: "--tokens", "'x'")
    try refused("--tokens", "1,99999999999", exitCode: 64, contains: "--tokens", "'99999999999'")
    try refused("--tokens", "1", "--prompt", "a", exitCode: 64, contains: "--prompt and --tokens")
    try refused("a text", exitCode: 64, contains: "expected - or options, found 'a text'", "--prompt TEXT")
    try refused("-", "--prompt", "a", exitCode: 64, contains: "one prompt, found - and --prompt")
    try refused("--prompt", "a", "--prompt-file", "x", exitCode: 64, contains: "one prompt")
    try refused("--prompt-file", "none.txt", contains: "none.txt", "nothing")
    try refused("--prompt-file", "hf", contains: "hf", "directory")
    let long = String(repeating: "abc ", count: 20)
    try refused("--prompt", long, "--length", "10", contains: "the length", "prompt's", "--length")
    try refused(
      "--prompt", long, "--length", "100", contains: "fewer than 24 tokens, the model's context",
      "--past-context slide")
    try refused("--prompt", "-", "--length", "100", contains: "fewer than 24 tokens", input: Array(long.utf8))
    try refused(
      "--prompt", "a", contains: "a vocabulary", "--tokenizer FILE or --tokens IDS", tokenizer: false)
    try refused("--stop", "a", contains: "--stop 'a'", "--tokenizer FILE", tokenizer: false)
  }

  @Test func options() throws {
    for (option, value, fragment) in [
      ("--temperature", "-0.1", "--temperature should"), ("--temperature", "nan", "--temperature should"),
      ("--top-k", "-1", "--top-k should"), ("--top-p", "0", "--top-p should"),
      ("--top-p", "1.5", "--top-p should"), ("--min-p", "2", "--min-p should"),
      ("--repetition-penalty", "0", "--repetition-penalty should"),
      ("--length", "0", "--length should be in 1...65536, but is 0"),
      ("--length", "65537", "--length should be in 1...65536, but is 65537"), ("--samples", "0", "--samples"),
      ("--samples", "2000", "1...1024"),
      ("--stop", "", "--stop"), ("--past-context", "wrap", "stop"), ("--temperature", "hot", "hot"),
      ("--seed", "-1", "-1"),
    ] {
      try refused(option, value, exitCode: 64, contains: fragment)
    }
  }

  @Test func models() throws {
    try TemporaryDirectory.with { directory in
      let none = try Executable.run(["generate"], in: directory)
      expectRefusal(none, "expected a model, found no gpt2_124M.bin here", "--checkpoint PATH")
    }
    try refused("--checkpoint", "none.bin", contains: "none.bin")
    for precision in ["fp32", "bf16", "bf16-amx"] {
      try refused(
        "--checkpoint", "bad.bin", "--precision", precision, contains: "bad.bin"
      ) {
        try InferenceCase.write(Array("no model".utf8), to: "bad.bin", in: $0)
      }
    }
    try refused("--checkpoint", "gpt2_tokenizer.bin", contains: "gpt2_tokenizer.bin", "llm.c tokenizer")
    try refused("--tokenizer", "gpt2_124M.bin", contains: "gpt2_124M.bin", "llm.c checkpoint")
    try InferenceCase.with { directory in
      let other = FileBytes(header: [20_240_328, 2, 2, 1]).bytes + [1, 65, 1, 66]
      try InferenceCase.write(other, to: "other.bin", in: directory)
      let run = try Executable.run(["generate", "--tokenizer", "other.bin"], in: directory)
      expectRefusal(run, "other.bin: the vocabulary should have the model's 278 tokens, but has 2")
    }
  }

  /// Weights that are no numbers: nothing is picked from what they give.
  @Test func damagedWeights() throws {
    try InferenceCase.with { directory in
      let url = directory.appending(path: "gpt2_124M.bin")
      var bytes = [UInt8](try Data(contentsOf: url))
      bytes.replaceSubrange(bytes.count - 4..<bytes.count, with: [0, 0, 0xC0, 0x7F])
      try Data(bytes).write(to: url)
      for format in [["--json"], []] {
        let run = try Executable.run(["generate", "--prompt", "hello"] + format, in: directory)
        expectRefusal(run, "the logits after 1 token should be finite, but are not", "damaged")
        // The sentence begins a line of its own also where both streams are one terminal.
        #expect(run.output == (format.isEmpty ? "hello\n" : ""), "\(run.output)")
      }
      // What is no number has no sign.
      bytes.replaceSubrange(bytes.count - 4..<bytes.count, with: [0, 0, 0xC0, 0xFF])
      try Data(bytes).write(to: url)
      try Data([1, 0, 0, 0, 2, 0, 0, 0]).write(to: directory.appending(path: "tokens.bin"))
      expectRefusal(
        try Executable.run(["evaluate", "--data", "tokens.bin"], in: directory),
        "should be finite, but is nan")
    }
  }
}
