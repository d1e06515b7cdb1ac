/// What people type who know other programs, and the subcommand that does it here.
enum CommandHabits {
  private static let names = [
    "generate": ["sample", "infer", "inference", "predict", "run", "chat", "complete"],
    "evaluate": ["eval", "test", "perplexity", "benchmark", "score"],
    "train": ["finetune", "fine-tune", "fit", "resume"],
    "tokenize": ["encode", "prepare", "preprocess", "tokenise"],
    "convert": ["export", "import", "save"],
    "inspect": ["info", "show", "describe", "ls"],
    "verify": ["check", "compare"],
    "report": ["plot", "graph", "draw", "dashboard"],
  ]

  /// nil where the word is none of these.
  static func subcommand(for word: String) -> String? {
    names.first { $0.value.contains(word) }?.key
  }
}
