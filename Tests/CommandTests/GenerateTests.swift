import Foundation
import GPT2
import TestSupport
import Testing
import Tokens

/// `gpt2 generate` where all is right.
@Suite struct GenerateTests {
  private func generate(_ arguments: String..., in directory: URL, input: [UInt8]? = nil) throws -> Run {
    let run = try Executable.run(["generate"] + arguments, in: directory, input: input)
    #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
    return run
  }

  /// The continuation that the library gives of a prompt.
  private func expected(
    _ prompt: [Int32], length: Int, _ change: (inout GenerationOptions) -> Void = { _ in }
  ) throws -> [Int32] {
    var options = GenerationOptions()
    options.length = length
    options.endToken = TestVocabulary.endOfText
    change(&options)
    let generation = try Generation(try InferenceCase.model().network, prompts: [prompt], options: options)
    while !generation.isFinished { _ = try generation.step() }
    return generation.tokens[0]
  }

  private static let prompt = "hello the"

  private func promptTokens() throws -> [Int32] {
    try TextEncoder(InferenceCase.tokenizer()).encode(Self.prompt)
  }

  /// The command line, a file and standard input, by text and by ids, from an llm.c file and from a directory.
  @Test func promptsFromEverywhereGiveTheSameText() throws {
    let prompt = try promptTokens()
    let tokens = try expected(prompt, length: 20)
    let text = try InferenceCase.tokenizer().decode(tokens.filter { $0 != TestVocabulary.endOfText })
    try InferenceCase.with { directory in
      try InferenceCase.write(Array(Self.prompt.utf8), to: "prompt.txt", in: directory)
      let ids = prompt.map(String.init).joined(separator: ",")
      for arguments in [
        ["--prompt", Self.prompt], ["--prompt-file", "prompt.txt"], ["--prompt", "-"], ["-"],
        ["--tokens", ids],
        ["--tokens", " " + ids.replacing(",", with: " , ")],
        ["--checkpoint", "hf", "--prompt", Self.prompt],
        ["--threads", "1", "--isa", "portable", "--tokens", ids],
        ["--threads", "3", "--prompt", Self.prompt],
      ] {
        let run = try Executable.run(
          ["generate", "--length", "20"] + arguments, in: directory, input: Array(Self.prompt.utf8))
        #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
        #expect(run.output == text.withoutControlCharacters + "\n", "\(arguments)")
      }
    }
  }

  /// Characters of several bytes come whole, though tokens are bytes: what is printed is UTF-8 at any moment, and no
  /// control character but line feed, carriage return and tab is in it.
  @Test func textIsWhole() throws {
    try InferenceCase.with { directory in
      for seed in ["1", "2", "3"] {
        // The first byte of é is the prompt's last: the text goes on with it.
        let run = try generate(
          "--tokens", "\(0xC3)", "--seed", seed, "--temperature", "2",
          "--length", "24", "--json", in: directory)
        let line = try SampleLine.read(run)[0]
        let tokenizer = try InferenceCase.tokenizer()
        #expect(line.text == tokenizer.decode(line.tokens.filter { $0 != TestVocabulary.endOfText }))
      }
    }
  }

  @Test func withoutAPromptTheTextBeginsAtTheEndOfAnother() throws {
    let tokens = try expected([TestVocabulary.endOfText], length: 12)
    try InferenceCase.with { directory in
      for arguments in [[], ["--prompt", ""], ["--tokens", ""], ["--prompt", "-"]] {
        let run = try Executable.run(["generate", "--length", "12", "--json"] + arguments, in: directory)
        let line = try SampleLine.read(run)[0]
        #expect(line.tokens == tokens)
        // The token that it starts from is no text.
        #expect(!(line.text ?? "<|").contains("<|"))
      }
    }
  }

  @Test func jsonHasTokensTextAndLogProbabilities() throws {
    try InferenceCase.with { directory in
      let run = try generate(
        "--prompt", Self.prompt, "--length", "15", "--samples", "3", "--temperature", "0.8", "--top-k", "20",
        "--ignore-end-of-text", "--json", in: directory)
      let (lines, prompt) = (try SampleLine.read(run), try promptTokens())
      #expect(lines.count == 3 && Set(lines.map(\.tokens)).count == 3)
      let model = try InferenceCase.model()
      for (index, line) in lines.enumerated() {
        #expect(line.tokens.count == 15 && Array(line.tokens.prefix(prompt.count)) == prompt)
        #expect(line.text == (try InferenceCase.tokenizer().decode(line.tokens)))
        #expect(line.logProbabilities.count == 15 - prompt.count)
        // Sample i draws by a seed of its own.
        let alone = try expected(prompt, length: 15) {
          $0.sampling.temperature = 0.8
          $0.sampling.topK = 20
          $0.endToken = nil
          $0.seed = 1337 &+ UInt64(index) &* 0x9E37_79B9_7F4A_7C15
        }
        #expect(line.tokens == alone)
        // The last one's probability, by a full pass.
        let tokens = Array(line.tokens.dropLast())
        try model.forward(tokens, batchSize: 1, sequenceLength: tokens.count)
        let logits = Array(try model.logits().suffix(TestVocabulary.size))
        #expect(line.logProbabilities.last == Sampler.logProbability(of: Int(line.tokens[14]), logits.span))
      }
    }
  }

  @Test func severalSamplesComeOneAfterTheOther() throws {
    try InferenceCase.with { directory in
      let run = try generate("--prompt", "hello", "--length", "6", "--samples", "2", in: directory)
      #expect(run.output.hasPrefix("--- 1\nhello") && run.output.contains("\n--- 2\nhello"), "\(run.output)")
    }
  }

  /// A stop string ends the text before it, here two letters of what comes without one.
  @Test func stopStrings() throws {
    try InferenceCase.with { directory in
      let arguments = ["generate", "--prompt", "hello", "--length", "24", "--ignore-end-of-text", "--json"]
      let whole = try SampleLine.read(try Executable.run(arguments, in: directory))[0]
      let continuation = String(try #require(whole.text).unicodeScalars.dropFirst(5))
      let scalars = Array(continuation.unicodeScalars)
      let letters = try #require(
        (1..<scalars.count - 1).first { place in
          scalars[place...place + 1].allSatisfy { (0x21..<0x7F).contains($0.value) }
        })
      let stop = String(String.UnicodeScalarView(scalars[letters...letters + 1]))
      let stopped = try SampleLine.read(
        try Executable.run(arguments + ["--stop", "no such text", "--stop", stop], in: directory))[0]
      let place = try #require(continuation.firstRange(of: stop))
      #expect(stopped.text == "hello" + continuation[..<place.lowerBound])
      // The tokens are those up to the one that completed it.
      #expect(Array(whole.tokens.prefix(stopped.tokens.count)) == stopped.tokens)
      #expect(stopped.tokens.count < 24 && stopped.logProbabilities.count == stopped.tokens.count - 1)
    }
  }

  @Test func pastTheContext() throws {
    try InferenceCase.with { directory in
      let arguments = ["generate", "--tokens", "1,2", "--length", "40", "--ignore-end-of-text", "--json"]
      let stopped = try SampleLine.read(try Executable.run(arguments, in: directory))[0]
      #expect(stopped.tokens.count == InferenceCase.context)
      let slid = try SampleLine.read(
        try Executable.run(arguments + ["--past-context", "slide"], in: directory))[0]
      let all = try expected([1, 2], length: 40) {
        $0.pastContext = .slide
        $0.endToken = nil
      }
      #expect(slid.tokens == all && Array(all.prefix(InferenceCase.context)) == stopped.tokens)
    }
  }

  @Test func temperatureZeroIsGreedyWhateverTheSeed() throws {
    let greedy = try expected(try promptTokens(), length: 18) { $0.sampling.temperature = 0 }
    try InferenceCase.with { directory in
      for arguments in [["--temperature", "0"], ["--temperature", "0", "--seed", "5"], ["--top-k", "1"]] {
        let run = try Executable.run(
          ["generate", "--prompt", Self.prompt, "--length", "18", "--json"] + arguments, in: directory)
        #expect(try SampleLine.read(run)[0].tokens == greedy, "\(arguments)")
      }
      let all = try generate("--prompt", Self.prompt, "--length", "18", in: directory).output
      #expect(
        try generate(
          "--prompt", Self.prompt, "--length", "18", "--top-k", "1000000", in: directory
        ).output == all)
    }
  }

  /// Ids where there is no vocabulary, or one of another size lies about; vocab.json and merges.txt serve, too.
  @Test func vocabularies() throws {
    try InferenceCase.with(tokenizer: false) { directory in
      let arguments = ["generate", "--tokens", "1,2,3", "--length", "6"]
      let tokens = try expected([1, 2, 3], length: 6).map(String.init).joined(separator: " ")
      let ids = try Executable.run(arguments, in: directory)
      #expect(ids.output == tokens + "\n" && ids.errors.isEmpty)
      #expect(
        try Executable.run(arguments + ["--samples", "2"], in: directory).output.hasPrefix("--- 1\n" + tokens)
      )
      let json = try SampleLine.read(try Executable.run(arguments + ["--json"], in: directory))
      #expect(json[0].text == nil)
      // Of another size: not this model's.
      let other = FileBytes(header: [20_240_328, 2, 2, 1]).bytes + [1, 65, 1, 66]
      try InferenceCase.write(other, to: "gpt2_tokenizer.bin", in: directory)
      #expect(try Executable.run(arguments, in: directory).output == ids.output)
      try TestVocabulary.write(to: directory.path)
      let text = try Executable.run(arguments, in: directory).output
      #expect(text != ids.output)
      #expect(
        try generate(
          "--tokens", "1,2,3", "--length", "6", "--tokenizer", "vocab.json", in: directory
        ).output == text)
    }
  }
}
