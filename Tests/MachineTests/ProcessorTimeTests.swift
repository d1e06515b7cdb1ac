import Machine
import Testing

@Suite struct ProcessorTimeTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Processors 0 and 1; the second of them is worth `ticks`.
  private func write(_ ticks: String, own: (user: Int, system: Int)) throws {
    try folder.write(
      "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 100 0 50 800 50 0 0 0 0 0\ncpu1 \(ticks)\nintr 1 2 3\n",
      to: "proc/stat")
    // A name of a process may look like its fields.
    try folder.write(
      "7 (a) 1 (b c) R 1 1 1 0 -1 4194560 100 0 0 0 \(own.user) \(own.system) 0 0 20 0 1\n",
      to: "proc/self/stat")
  }

  private func read(_ processors: [Int]) -> ProcessorTime? {
    ProcessorTime.read(root: folder.path, processors: processors)
  }

  @Test func othersHaveWhatIsNeitherIdleNorOurs() throws {
    try write("0 0 0 1000 0 0 0 0 40 0", own: (10, 0))
    let before = try #require(read([0, 1]))
    // 100 ticks pass on each processor: on the second one 20 idle, 10 waiting for a disk, 70 busy, 8 of them stolen.
    try folder.write(
      "cpu0 100 0 50 900 50 0 0 0 0 0\ncpu1 30 5 20 1020 10 3 4 8 40 0\n", to: "proc/stat")
    try folder.write(
      "7 (a) R 1 1 1 0 -1 4194560 100 0 0 0 25 15 0 0 20 0 1\n", to: "proc/self/stat")
    let after = try #require(read([0, 1]))
    // 70 busy, 30 of them ours.
    #expect(after.shareOfOthers(since: before) == 40.0 / 200)
    #expect(before.shareOfOthers(since: before) == nil)
  }

  @Test func onlyTheProcessorsAtHandCount() throws {
    try write("0 0 0 0 0 0 0 0 0 0", own: (0, 0))
    let (before, idle) = (try #require(read([1])), try #require(read([0])))
    try write("100 0 0 0 0 0 0 0 0 0", own: (0, 0))
    #expect(try #require(read([1])).shareOfOthers(since: before) == 1)
    #expect(try #require(read([0])).shareOfOthers(since: idle) == nil)
  }

  @Test func whatCannotBeReadIsNil() throws {
    #expect(read([0]) == nil)
    try write("1 2", own: (0, 0))
    #expect(read([1]) == nil && read([5]) == nil && read([0]) != nil)
    try folder.write("7 (a) R 1\n", to: "proc/self/stat")
    #expect(read([0]) == nil)
  }

  @Test func thisMachineTells() throws {
    let before = try #require(ProcessorTime.now)
    #expect(before == before && before.shareOfOthers(since: before) == nil)
  }
}
