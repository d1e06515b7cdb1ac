import ArgumentParser
import GPT2
import Operators
import Terminal
import Testing

/// The option groups that both programs have, parsed by themselves.
@Suite struct OptionGroupTests {
  /// The message of the error that parsing throws; nil where it throws none.
  private func refusal<Options: ParsableArguments>(_ type: Options.Type, _ arguments: String...) -> String? {
    do {
      _ = try Options.parse(arguments)
      return nil
    } catch { return Options.message(for: error) }
  }

  @Test func sizesMakeAModel() throws {
    #expect(try SizeOptions.parse([]).configuration() == nil)
    let sizes = try SizeOptions.parse([
      "--layers", "2", "--heads", "3", "--channels", "12", "--vocabulary", "50", "--context", "8",
    ])
    #expect(
      try sizes.configuration()
        == Configuration(maximumSequenceLength: 8, vocabularySize: 50, layers: 2, heads: 3, channels: 12))
    #expect(sizes.firstGiven == "--layers")
  }

  @Test func sizesComeTogether() throws {
    let sizes = try SizeOptions.parse(["--layers", "2", "--context", "8"])
    let error = #expect(throws: ValidationError.self) { try sizes.configuration() }
    #expect(
      error?.message
        == "a model of your own needs all of --layers, --heads, --channels, --vocabulary, --context, "
        + "found none of --heads, --channels, --vocabulary")
  }

  @Test func oneWayToNameAModel() throws {
    try checkOneModel([nil, "--model"], expected: "--model or sizes")
    #expect(throws: ValidationError.self) {
      try checkOneModel(["--model", "--layers"], expected: "--model or sizes")
    }
  }

  @Test func executionOptionsAreChecked() throws {
    #expect(try ThreadOptions.parse(["--threads", "3"]).count == 3)
    #expect(refusal(ThreadOptions.self, "--threads", "0") == "--threads should be in 1...4096, but is 0")
    #expect(refusal(KernelOptions.self, "--isa", "mmx")?.hasPrefix("--isa: ") == true)
    #expect(try KernelOptions.parse(["--isa", "portable"]).instructionSet() == .portable)
    #expect(
      refusal(ExecutionOptions.self, "--numa", "far")
        == "--numa should be one of auto, local, interleaved, split, but is 'far'")
    #expect(refusal(ExecutionOptions.self, "--threads", "4097")?.contains("4097") == true)
  }
}
