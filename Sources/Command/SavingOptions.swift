import ArgumentParser
import GPT2
import Machine
import Terminal

/// The options that say what becomes of a trained model.
struct SavingOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      Keep the run in this directory: at intervals, at the end, and where SIGINT, SIGTERM or SIGHUP stops it. Each kept step is \
      a model that every program reads which reads Hugging Face's, and all that --resume needs.
      """,
      valueName: "dir"))
  var save: String?

  @Option(
    parsing: .unconditional,
    help: wholeNumber(
      "Steps between saves; 0: only at the end and where the run is stopped. (default: \(defaultInterval))"))
  var saveEvery: Int?

  @Option(
    parsing: .unconditional,
    help: wholeNumber(
      "How many steps are kept, the best by validation beside them. (default: \(defaultKeep))"))
  var keep: Int?

  @Flag(
    help: """
      Go on from the newest whole step in --save, with the bits of a run that was not interrupted and the options that \
      it was started with; steps, learning rates, intervals, threads, instruction set and the log may be given anew. \
      Where nothing is saved yet, the run begins.
      """)
  var resume = false

  @Option(
    parsing: .unconditional,
    help: """
      When a save fails, as on a full disk: continue without it, or stop; what was saved before stays, and without its \
      last save a run fails in any case. (default: continue)
      """)
  var onSaveError: SaveErrorAction?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      Write the model alone at the end: a file or a directory that is new. A resumed run replaces what it wrote itself.
      """, valueName: "path"))
  var output: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      What --output writes, in float32 but for llmc-v5. (default: llmc-v3 for a name that ends in .bin, else \
      huggingface)
      """))
  var outputFormat: TargetFormat?

  static let defaultInterval = 1000
  static let defaultKeep = 3

  /// Steps between saves; 0: only the last.
  var interval: Int { saveEvery ?? Self.defaultInterval }
  /// Kept steps.
  var keptSteps: Int { keep ?? Self.defaultKeep }

  func validate() throws {
    if let saveEvery, saveEvery < 0 {
      throw ValidationError("--save-every should be at least 0, but is \(saveEvery)")
    }
    if let keep, keep < 1 { throw ValidationError("--keep should be at least 1, but is \(keep)") }
    // What would have no effect was meant to have one.
    for (option, isGiven) in [
      ("--resume", resume), ("--save-every", saveEvery != nil), ("--keep", keep != nil),
      ("--on-save-error", onSaveError != nil),
    ] where isGiven && save == nil {
      throw ValidationError("\(option) needs --save DIR, the directory of the run")
    }
    if outputFormat != nil, output == nil { throw ValidationError("--output-format needs --output PATH") }
  }

  /// Whether anything outlives the run.
  var keepsSomething: Bool { save != nil || output != nil }

  var format: CheckpointFormat {
    let target = outputFormat ?? (output?.hasSuffix(".bin") == true ? .llmVersion3 : .huggingFace)
    return target.format(.float32)
  }

  /// Refuses an output that could not be written, before hours of training and not after them.
  ///
  /// - Parameter run: what is resumed, whose own output is no obstacle.
  /// - Throws: `FileError`, `FormatError`.
  func checkOutput(resuming run: Run? = nil) throws {
    guard let output else { return }
    let overwrite = run?.hasWritten(output) ?? false
    if case .huggingFace = format {
      guard Directory.exists(at: output) else {
        _ = try AtomicDirectory(path: output)
        return
      }
      for name in ["config.json", "model.safetensors"] {
        _ = try AtomicFile(path: output + "/" + name, overwrite: overwrite)
      }
    } else {
      _ = try AtomicFile(path: output, overwrite: overwrite)
    }
  }

  /// Refuses an output whose format cannot hold the model.
  ///
  /// - Throws: `FormatError`.
  func checkOutput(of configuration: Configuration) throws {
    if let output { try format.check(configuration, path: output) }
  }

  /// For the header.
  var summary: String {
    var parts: [String] = []
    if let save {
      let when = interval > 0 ? "every \(NumberText.count(interval, "step"))" : "at the end"
      parts.append("\(when) in \(save), the newest \(keptSteps) and the best by validation")
    }
    if let output { parts.append("the model at the end in \(output)") }
    guard !parts.isEmpty else {
      return "nothing, the trained model is lost at the end: --save DIR or --output PATH keeps it"
    }
    return parts.joined(separator: "; ")
  }
}

enum SaveErrorAction: String, ExpressibleByArgument, CaseIterable {
  case `continue`, stop
}
