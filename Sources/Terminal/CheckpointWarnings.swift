import GPT2
import Machine

extension Checkpoint {
  /// Opens the checkpoint that a command line names, and says what is wrong with newer steps of a run directory.
  package static func opened(_ path: String) throws(FormatError) -> Checkpoint {
    let checkpoint = try Checkpoint(path: path)
    for damage in checkpoint.damages { Console.printWarning("\(damage)") }
    for note in checkpoint.notes { Console.printWarning(note) }
    if !checkpoint.damages.isEmpty { Console.printWarning("\(checkpoint.path) is used instead") }
    return checkpoint
  }
}
