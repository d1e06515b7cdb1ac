/// Where the windows of T + 1 tokens lie that a loader takes one by one, by their number from the start of the run:
/// nothing is remembered, so that a run goes on from any number, and nothing depends on threads.
///
/// A window lies in one file; those with fewer than T + 1 tokens have none.
struct WindowOrder: Sendable {
  private var choice: Choice
  private let random: RandomFunction
  /// T
  private let sequenceLength: Int
  /// The tokens of each file.
  private let fileTokens: [Int]
  /// Windows of one pass over all files, which share no input.
  let count: Int

  private enum Choice: Sendable {
    /// - Parameter ends: for each file the windows of it and of those before it, at all their places.
    case anywhere(ends: [Int])
    case shuffled(Epoch)
  }

  /// nil for a sequential order.
  ///
  /// - Parameters:
  ///   - files: the tokens of each.
  ///   - seed: what else is drawn from the same one is independent of the order.
  init?(_ order: DataOrder, files: [Int], sequenceLength: Int, seed: UInt64) {
    self.sequenceLength = sequenceLength
    fileTokens = files
    random = RandomFunction(seed: seed).part(0)
    let windows = files.map { max(0, $0 - 1) / sequenceLength }
    count = windows.reduce(0, +)
    switch order {
    case .sequential: return nil
    case .random:
      var places = 0
      choice = .anywhere(
        ends: files.map {
          places += max(0, $0 - sequenceLength)
          return places
        })
    case .shuffled: choice = .shuffled(Epoch(0, windows: windows, random))
    }
  }

  /// Where window `number` of the run lies.
  ///
  /// - Precondition: `number` is at least 0, and `count` at least 1.
  /// - Complexity: a search among the files; where another epoch begins, one look at each of them.
  mutating func position(ofWindow number: Int) -> DataLoader.Position {
    let (file, token) =
      switch choice {
      case .anywhere(let ends): place(random.number(below: ends.last ?? 0, at: number), ends)
      case .shuffled(let epoch): place(epoch, number)
      }
    return DataLoader.Position(file: file, token: token, fileTokens: fileTokens[file], window: number)
  }

  private func place(_ start: Int, _ ends: [Int]) -> (file: Int, token: Int) {
    let file = ends.firstIndex { $0 > start } ?? 0
    return (file, start - (file > 0 ? ends[file - 1] : 0))
  }

  private mutating func place(_ epoch: Epoch, _ number: Int) -> (file: Int, token: Int) {
    var epoch = epoch
    if epoch.number != number / count {
      epoch = Epoch(number / count, windows: fileTokens.map { max(0, $0 - 1) / sequenceLength }, random)
      choice = .shuffled(epoch)
    }
    let (file, window) = epoch.place(number % count)
    return (file, window * sequenceLength)
  }
}

/// The order of one epoch.
private struct Epoch: Sendable {
  let number: Int
  /// Files that have windows, in their order, and how many windows there are up to the end of each.
  private let files: [(index: Int, end: Int)]
  private let random: RandomFunction

  init(_ number: Int, windows: [Int], _ random: RandomFunction) {
    self.number = number
    let random = random.part(number)
    self.random = random
    let order = Permutation(of: windows.count, random.part(windows.count))
    var end = 0
    files = windows.indices.map { order[$0] }.filter { windows[$0] > 0 }.map {
      end += windows[$0]
      return ($0, end)
    }
  }

  /// The file, and which of its windows, at a place of the epoch.
  func place(_ place: Int) -> (file: Int, window: Int) {
    let index = files.firstIndex { $0.end > place } ?? 0
    let start = index > 0 ? files[index - 1].end : 0
    let file = files[index]
    return (file.index, Permutation(of: file.end - start, random.part(file.index))[place - start])
  }
}
