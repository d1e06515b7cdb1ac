/// Merges the byte pairs of one piece: again and again the pair of lowest rank, the leftmost of several.
///
/// Reused from piece to piece, so that it does not allocate.
struct PieceMerger {
  /// Up to here a linear search for the next pair is the faster one.
  private static let shortest = 64

  let byteTokens: [Int32]
  var merges: MergeTable
  /// The tokens of the piece, in their order; valid after `merge`.
  private(set) var tokens: [Int32] = []
  /// What each token and its successor merge into.
  private var pairs: [MergeTable.Merge] = []
  // Of long pieces: the neighbours of each token, and a heap of ranks, each above its token's index.
  private var next: [Int32] = []
  private var previous: [Int32] = []
  private var heap: [UInt64] = []

  /// - Parameter byteTokens: the token of each of the 256 bytes.
  init(byteTokens: [Int32], merges: MergeTable) {
    self.byteTokens = byteTokens
    self.merges = merges
  }

  /// Puts the tokens of `piece` into `tokens`.
  ///
  /// - Complexity: n · log n for n bytes.
  /// - Precondition: the piece has fewer than 2³¹ bytes.
  mutating func merge(_ piece: Span<UInt8>) {
    tokens.removeAll(keepingCapacity: true)
    for index in piece.indices { tokens.append(byteTokens[Int(piece[index])]) }
    pairs.removeAll(keepingCapacity: true)
    for index in 0..<max(0, tokens.count - 1) { pairs.append(merges[tokens[index], tokens[index + 1]]) }
    if tokens.count <= Self.shortest { mergeShort() } else { mergeLong() }
  }

  private mutating func mergeShort() {
    while true {
      var (best, place) = (MergeTable.none, 0)
      for index in pairs.indices where pairs[index] < best { (best, place) = (pairs[index], index) }
      if best == MergeTable.none { return }
      tokens[place] = MergeTable.token(of: best)
      tokens.remove(at: place + 1)
      pairs.remove(at: place)
      if place > 0 { pairs[place - 1] = merges[tokens[place - 1], tokens[place]] }
      if place < pairs.count { pairs[place] = merges[tokens[place], tokens[place + 1]] }
    }
  }

  /// Tokens stay at their index and are unlinked; −1 is the end on either side.
  private mutating func mergeLong() {
    let count = Int32(tokens.count)
    next = (1..<count) + [-1]
    previous = Array(-1..<count - 1)
    heap.removeAll(keepingCapacity: true)
    for index in pairs.indices { push(index) }
    pairs.append(MergeTable.none)
    while let entry = pop() {
      let place = Int(entry & 0xFFFF_FFFF)
      // A pair that has gone since, or changed: its rank was another one, as ranks tell pairs apart.
      guard pairs[place] >> 32 == entry >> 32 else { continue }
      let gone = Int(next[place])
      tokens[place] = MergeTable.token(of: pairs[place])
      next[place] = next[gone]
      pairs[gone] = MergeTable.none
      if next[gone] >= 0 { previous[Int(next[gone])] = Int32(place) }
      relink(place)
      if previous[place] >= 0 { relink(Int(previous[place])) }
    }
    var (kept, place) = (0, 0)
    while place >= 0 {
      tokens[kept] = tokens[place]
      kept += 1
      place = Int(next[place])
    }
    tokens.removeLast(tokens.count - kept)
  }

  /// The pair of a token whose neighbour, or who itself, is new.
  private mutating func relink(_ place: Int) {
    pairs[place] = next[place] < 0 ? MergeTable.none : merges[tokens[place], tokens[Int(next[place])]]
    push(place)
  }

  // MARK: - The heap: every entry is at most its two children, at 2i + 1 and 2i + 2

  private mutating func push(_ place: Int) {
    if pairs[place] == MergeTable.none { return }
    let entry = pairs[place] & ~0xFFFF_FFFF | UInt64(place)
    var hole = heap.count
    heap.append(entry)
    while hole > 0, heap[(hole - 1) / 2] > entry {
      heap[hole] = heap[(hole - 1) / 2]
      hole = (hole - 1) / 2
    }
    heap[hole] = entry
  }

  private mutating func pop() -> UInt64? {
    guard let least = heap.first, let last = heap.popLast() else { return nil }
    if heap.isEmpty { return least }
    var hole = 0
    while true {
      var child = 2 * hole + 1
      if child >= heap.count { break }
      if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
      if heap[child] >= last { break }
      heap[hole] = heap[child]
      hole = child
    }
    heap[hole] = last
    return least
  }
}
