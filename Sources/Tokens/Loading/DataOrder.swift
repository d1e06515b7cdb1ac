/// The order in which a loader goes through its files.
public enum DataOrder: String, Sendable, CaseIterable {
  /// As they lie in the files: each batch begins where the one before it ended, as the original program has it.
  case sequential
  /// Each sequence begins anywhere, each place as likely every time, as in nanoGPT.
  case random
  /// Sequences that lie one behind another, each once in an epoch: files in an order, and each file's sequences in
  /// one, which are others in every epoch. A file is done before the next one begins, so that few of them are in use.
  case shuffled
}
