import GPT2
import Machine
import TestSupport
import Testing

/// Where parameters lie: what reducing, updating and placing a layer as one range relies on.
@Suite struct ParameterLayoutTests {
  /// The ranges that parts take of the whole, found by the numbers that stand there.
  private func ranges(_ tensors: ParameterTensors) throws -> [ParameterPart: Range<Int>] {
    // Float32 counts to 2²⁴.
    try #require(tensors.all.count < 1 << 24)
    tensors.all.copy(from: (0..<tensors.all.count).map(Float.init))
    var ranges: [ParameterPart: Range<Int>] = [:]
    for parameter in Parameter.allCases {
      for layer in 0..<(parameter.isLayered ? tensors.configuration.layers : 1) {
        let part = ParameterPart(parameter, layer: parameter.isLayered ? layer : nil)
        let places = tensors[part].array().map { Int($0) }
        let first = try #require(places.first)
        #expect(places == Array(first..<first + part.count(tensors.configuration)), "\(part)")
        ranges[part] = first..<first + places.count
      }
    }
    return ranges
  }

  @Test(arguments: [1, 3]) func layersAreRangesOfTheirOwn(_ layers: Int) throws {
    let configuration = try Configuration(
      maximumSequenceLength: 5, vocabularySize: 7, paddedVocabularySize: 9, layers: layers, heads: 3,
      channels: 21)
    let ranges = try ranges(try ParameterTensors(configuration))
    // A cache line has 16 floats.
    #expect(ranges.values.allSatisfy { $0.lowerBound % 16 == 0 })
    let ordered = ranges.sorted { $0.value.lowerBound < $1.value.lowerBound }
    for (left, right) in zip(ordered, ordered.dropFirst()) {
      // No two share an element; what lies between them is less than the layout's unit.
      #expect(
        (0..<Arena.lineFloats).contains(right.value.lowerBound - left.value.upperBound),
        "\(left) and \(right)"
      )
    }
    #expect(ordered.first?.value.lowerBound == 0)
    // Embeddings, then layer by layer, then the last norm, each in llm.c's order.
    let layered = Parameter.allCases.filter(\.isLayered)
    let expected =
      [ParameterPart(.wte), ParameterPart(.wpe)]
      + (0..<layers).flatMap { layer in layered.map { ParameterPart($0, layer: layer) } }
      + [ParameterPart(.lnfw), ParameterPart(.lnfb)]
    #expect(ordered.map(\.key) == expected)
    // Each layer's tensors lie alike.
    for parameter in layered {
      let starts = try (0..<layers).map { layer in
        try #require(ranges[ParameterPart(parameter, layer: layer)]).lowerBound
          - (try #require(ranges[ParameterPart(.ln1w, layer: layer)]).lowerBound)
      }
      #expect(Set(starts).count == 1, "\(parameter)")
    }
  }
}
