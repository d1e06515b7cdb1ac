import GPT2
import TestSupport
import Testing

@Suite struct ConfigurationTests {
  @Test(
    arguments: [
      ("gpt2-124M", 124_475_904), ("gpt2-355M", 354_871_296), ("gpt2-774M", 774_090_240),
      ("gpt2-1558M", 1_557_686_400),
    ])
  func presetsHaveThePublishedSizes(name: String, parameters: Int) throws {
    // The published counts, 124,439,808 and so on, plus 47 rows of padding.
    let configuration = try Configuration.preset(named: name)
    #expect(configuration.parameterCount == parameters)
    #expect(configuration.paddedVocabularySize == 50304)
    #expect(configuration.headSize == 64)
    let alias =
      ["gpt2-124M": "gpt2", "gpt2-355M": "gpt2-medium", "gpt2-774M": "gpt2-large"][name] ?? "gpt2-xl"
    #expect(try Configuration.preset(named: alias) == configuration)
  }

  @Test func unknownPresetListsTheNames() {
    #expect(
      sentence { _ = try Configuration.preset(named: "gpt3") }
        == "the model should be one of gpt2-124M, gpt2-355M, gpt2-774M, gpt2-1558M, gpt2, gpt2-medium, "
        + "gpt2-large, gpt2-xl, but is 'gpt3'.")
  }

  @Test func parameterShapesAreThoseOfTheFormat() throws {
    let configuration = try Configuration(
      maximumSequenceLength: 24, vocabularySize: 131, layers: 2, heads: 5, channels: 60)
    #expect(configuration.paddedVocabularySize == 256)
    #expect(
      Parameter.allCases.map(\.name) == [
        "wte", "wpe", "ln1w", "ln1b", "qkvw", "qkvb", "attprojw", "attprojb", "ln2w", "ln2b", "fcw", "fcb",
        "fcprojw", "fcprojb", "lnfw", "lnfb",
      ])
    #expect(
      Parameter.allCases.map { $0.shape(configuration) } == [
        [256, 60], [24, 60], [2, 60], [2, 60], [2, 180, 60], [2, 180], [2, 60, 60], [2, 60], [2, 60],
        [2, 60],
        [2, 240, 60], [2, 240], [2, 60, 240], [2, 60], [60], [60],
      ])
  }

  @Test(arguments: [0, -1, Int.min])
  func sizesBelowOneAreRefused(size: Int) {
    for field in 0..<5 {
      var sizes = [1024, 50257, 12, 12, 768]
      sizes[field] = size
      #expect(
        throws: ConfigurationError.notPositive(
          name: [
            "the maximum sequence length", "the vocabulary size", "the number of layers",
            "the number of heads", "the number of channels",
          ][field], size: size)
      ) {
        try Configuration(
          maximumSequenceLength: sizes[0], vocabularySize: sizes[1], layers: sizes[2], heads: sizes[3],
          channels: sizes[4])
      }
    }
  }

  @Test func inconsistentSizesAreRefused() {
    #expect(throws: ConfigurationError.channelsNotDivisible(channels: 10, heads: 3)) {
      try Configuration(maximumSequenceLength: 8, vocabularySize: 8, layers: 1, heads: 3, channels: 10)
    }
    #expect(throws: ConfigurationError.paddedVocabularyTooSmall(padded: 7, vocabularySize: 8)) {
      try Configuration(
        maximumSequenceLength: 8, vocabularySize: 8, paddedVocabularySize: 7, layers: 1, heads: 1,
        channels: 8)
    }
  }

  @Test func sizesBeyondTheAddressSpaceAreRefused() {
    let largest = Int(Int32.max)
    #expect(throws: ConfigurationError.tooLarge) {
      try Configuration(
        maximumSequenceLength: largest, vocabularySize: 1, layers: largest, heads: 1, channels: largest)
    }
    for size in [largest + 1, Int.max] {
      #expect(throws: ConfigurationError.sizeTooLarge(name: "the vocabulary size", size: size)) {
        try Configuration(maximumSequenceLength: 1, vocabularySize: size, layers: 1, heads: 1, channels: 1)
      }
    }
    // Its multiple of 128 is no int32; the size itself is.
    #expect(Configuration.paddedVocabulary(for: largest) == largest)
    #expect(Configuration.paddedVocabulary(for: largest - 127) == largest - 127)
  }
}
