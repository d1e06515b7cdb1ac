import GPT2

/// A model in words.
package enum ModelText {
  /// "12 layers, 12 heads, 768 channels, vocabulary 50257 (padded to 50304), context 1024"
  package static func sizes(_ configuration: Configuration) -> String {
    let layers = NumberText.count(configuration.layers, "layer")
    let heads = NumberText.count(configuration.heads, "head")
    let channels = NumberText.count(configuration.channels, "channel")
    let (vocabulary, padded) = (configuration.vocabularySize, configuration.paddedVocabularySize)
    let padding = padded == vocabulary ? "" : " (padded to \(padded))"
    return "\(layers), \(heads), \(channels), vocabulary \(vocabulary)\(padding),"
      + " context \(configuration.maximumSequenceLength)"
  }

  /// "124439808, with the padding 474.8 MiB in float32"
  package static func parameters(_ configuration: Configuration) -> String {
    let used = usedParameterCount(configuration)
    let padding = used == configuration.parameterCount ? "" : "with the padding "
    let bytes = NumberText.bytes(configuration.parameterCount * MemoryLayout<Float>.size)
    return "\(used), \(padding)\(bytes) in float32"
  }

  /// Without the rows that pad the vocabulary.
  package static func usedParameterCount(_ configuration: Configuration) -> Int {
    let padding = configuration.paddedVocabularySize - configuration.vocabularySize
    return configuration.parameterCount - padding * configuration.channels
  }
}
