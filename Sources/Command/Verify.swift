import ArgumentParser
import GPT2
import Operators
import Terminal

/// `gpt2 verify`: compares a model's numbers with those of another engine.
struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compares logits, loss, gradients and ten losses with a debug state.",
    discussion: """
      Runs the debug state's batch forward and backward and compares every number of the logits, the loss and \
      the sixteen gradients with the file's. A row is ok when its largest difference is at most 1e-3 of the \
      tensor's largest magnitude: two right float32 engines differ by 1e-6 to 1e-4 of it, a wrong formula by over \
      1e-2. For a bfloat16 checkpoint, whose weights are rounded to 8 bits, it is 1/64 for logits and loss and \
      1/16 for gradients; for a float16 one, of 11 bits, an eighth of that.

      Then it takes ten steps of AdamW on that batch (learning rate 1e-4, beta 0.9 and 0.999, epsilon 1e-8, weight \
      decay 0.01). For GPT-2 124M and llm.c's debug state the losses must be within 1e-2 of llm.c's published ones; \
      for others each must be finite and lower than the one before.

      Exits 1 when a row is off.
      """)

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The checkpoint: an llm.c file, a Hugging Face directory or nanoGPT's ckpt.pt.", valueName: "path"))
  var checkpoint: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The llm.c debug state that was made with it.", valueName: "file"))
  var debugState: String

  @OptionGroup var function: FunctionOptions

  @OptionGroup(title: "Execution") var execution: ExecutionOptions

  func run() throws {
    let checkpoint = try Checkpoint.opened(checkpoint)
    let state = try DebugState(path: debugState, configuration: checkpoint.configuration)
    let context = try execution.context()
    let model = try Model(
      configuration: try function.applied(to: checkpoint.configuration),
      placement: try execution.placement(), context: context)
    try model.reserve(batchSize: state.batchSize, sequenceLength: state.sequenceLength, sampleLength: 0)
    checkpoint.load(into: model.parameters, context: context)

    Console.print("model     \(ModelText.sizes(checkpoint.configuration))")
    Console.print("batch     \(state.batchSize) × \(state.sequenceLength)")
    Console.print("machine   \(ExecutionOptions.summary(context))")
    let result = try Verification(
      of: model, against: state, tolerance: Verification.Tolerance(checkpoint.precision))
    printRows(result.rows)
    printLosses(result.losses)
    guard result.failures.isEmpty else {
      throw VerificationError(path: debugState, failures: result.failures)
    }
    Console.print()
    Console.print("all ok")
  }

  private func printRows(_ rows: [Verification.Row]) {
    Console.print()
    Console.print("tensor".padded(to: 12) + "difference".aligned(to: 12) + "tolerance".aligned(to: 12))
    for row in rows {
      Console.print(
        row.name.padded(to: 12) + NumberText.scientific(row.difference).aligned(to: 12)
          + NumberText.scientific(row.tolerance).aligned(to: 12) + "  " + verdict(row.passes))
    }
  }

  private func printLosses(_ losses: [Verification.Loss]) {
    Console.print()
    let published = losses.contains { $0.expected != nil }
    Console.print(
      "step".padded(to: 12) + "loss".aligned(to: 12)
        + (published ? "published" : "expected").aligned(to: 12))
    for loss in losses {
      let expected =
        loss.expected.map { NumberText.fixed(Double($0), 6) } ?? (loss.step == 0 ? "finite" : "lower")
      Console.print(
        "\(loss.step)".padded(to: 12) + NumberText.fixed(Double(loss.loss), 6).aligned(to: 12)
          + expected.aligned(to: 12) + "  " + verdict(loss.passes))
    }
  }

  private func verdict(_ passes: Bool) -> String { passes ? "ok" : "FAIL" }
}

private struct VerificationError: Error, CustomStringConvertible {
  let path: String
  let failures: [String]

  var description: String {
    "\(path): expected every row within its tolerance, found \(failures.count) off: "
      + failures.joined(separator: ", ") + "."
  }
}
