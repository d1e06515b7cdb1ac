import GPT2
import Machine

/// `--tensorboard`: the run's numbers as TensorBoard's scalars, its samples as texts.
struct TensorBoardLog {
  private let file: EventFile

  /// - Parameter step: of a resumed run the one that it goes on from: what earlier files have from there on is
  ///   then passed over.
  /// - Throws: `FileError`.
  init(directory: String, resumedAt step: Int?) throws(FileError) {
    file = try EventFile(directory: directory)
    guard let step else { return }
    var start = ProtocolBuffer()
    start.add(1, 1)
    try file.write(step: step) { $0.add(7, start) }
  }

  func write(_ event: TrainingEvent) throws(FileError) {
    switch event {
    case .train(let step):
      try write(
        step.step,
        [
          Self.scalar("loss/train", step.loss), Self.scalar("learning_rate", Float(step.learningRate)),
          Self.scalar("gradient_norm", Float(step.gradientNorm)),
          Self.scalar("tokens_per_second", Float(step.tokensPerSecond)),
        ])
    case .validation(let step, let loss): try write(step, [Self.scalar("loss/validation", loss)])
    case .sample(let step, let tokens, let text):
      try write(step, [Self.text("sample", text ?? tokens.map(String.init).joined(separator: " "))])
    }
  }

  /// `values` are `Summary.Value`s.
  private func write(_ step: Int, _ values: [ProtocolBuffer]) throws(FileError) {
    var summary = ProtocolBuffer()
    for value in values { summary.add(1, value) }
    try file.write(step: step) { $0.add(5, summary) }
  }

  private static func scalar(_ tag: String, _ number: Float) -> ProtocolBuffer {
    var value = ProtocolBuffer()
    value.add(1, tag)
    value.add(2, number)
    return value
  }

  /// A tensor of one text, which the plugin of texts shows.
  private static func text(_ tag: String, _ text: String) -> ProtocolBuffer {
    var (size, shape, tensor) = (ProtocolBuffer(), ProtocolBuffer(), ProtocolBuffer())
    size.add(1, 1)
    shape.add(2, size)
    // DT_STRING.
    tensor.add(1, 7)
    tensor.add(2, shape)
    tensor.add(8, quoted(text))
    var (plugin, metadata, value) = (ProtocolBuffer(), ProtocolBuffer(), ProtocolBuffer())
    plugin.add(1, "text")
    metadata.add(1, plugin)
    value.add(1, tag)
    value.add(8, tensor)
    value.add(9, metadata)
    return value
  }

  /// As code of Markdown, by which TensorBoard shows texts: line by line, with nothing in it that has a meaning.
  private static func quoted(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }.joined(separator: "\n")
  }
}
