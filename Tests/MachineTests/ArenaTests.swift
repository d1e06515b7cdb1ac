import Foundation
import Machine
import Testing

@Suite struct ArenaTests {
  private let entries: [Arena.Entry] = [
    .init(name: "a", shape: [3, 5]), .init(name: "empty", shape: [0, 7]), .init(name: "b", shape: [16]),
    .init(name: "scalar", shape: []), .init(name: "c", shape: [33]),
  ]

  @Test func tensorsStartOnCacheLinesInOrder() throws {
    let arena = try Arena(entries)
    #expect(arena.tensors.map(\.name) == ["a", "empty", "b", "scalar", "c"])
    #expect(arena.tensors.map(\.shape) == entries.map(\.shape))
    #expect(arena.tensors.map(\.count) == [15, 0, 16, 1, 33])
    // 15 → 16, 0, 16, 1 → 16, 33 → 48.
    #expect(arena.all.count == 96)
    #expect(arena.byteCount == 384)
    #expect(arena["missing"] == nil)
    for (value, tensor) in arena.tensors.enumerated() { tensor.fill(Float(value + 1)) }
    let expected: [(value: Float, count: Int)] = [
      (1, 15), (0, 1), (3, 16), (4, 1), (0, 15), (5, 33), (0, 15),
    ]
    #expect(arena.all.array() == expected.flatMap { Array(repeating: $0.value, count: $0.count) })
  }

  /// Offsets are bytes: each type takes its own size, and the next tensor still starts on a cache line.
  @Test func elementTypesLieSideBySide() throws {
    let mixed: [Arena.Entry] = [
      .init(name: "a", shape: [3]), .init(name: "halves", shape: [5, 7], elementType: .bfloat16),
      .init(name: "bytes", shape: [65], elementType: .int8), .init(name: "b", shape: [2]),
    ]
    let arena = try Arena(mixed)
    #expect(arena.tensors.map(\.elementType) == [.float32, .bfloat16, .int8, .float32])
    #expect(arena.tensors.map(\.count) == [3, 35, 65, 2])
    // 12 → 64 bytes, 70 → 128, 65 → 128, 8 → 64.
    #expect(arena.byteCount == 384)
    let first = unsafe arena.tensors[0].rawPointer
    #expect(arena.tensors.map { unsafe $0.rawPointer - first } == [0, 64, 192, 320])
    let slice = arena.tensors[1].slice(7..<21, shape: [2, 7])
    #expect(slice.elementType == .bfloat16 && slice.shape == [2, 7])
    #expect(unsafe slice.rawPointer - first == 64 + 14)
    arena.tensors[0].fill(1)
    arena.tensors[3].fill(2)
    #expect(arena.tensors[0].array() == [1, 1, 1] && arena.tensors[3].array() == [2, 2])
  }

  @Test(arguments: ElementType.allCases) func sizesOfTypes(type: ElementType) throws {
    #expect(type.byteCount == [.float32: 4, .bfloat16: 2, .float16: 2, .int8: 1][type])
    let count = Int.max / 16 / type.byteCount
    #expect(throws: MemoryError.invalidShape(name: "x", shape: [count + 1])) {
      try Arena([.init(name: "x", shape: [count + 1], elementType: type)])
    }
    // What fits Int is refused for the memory it takes.
    #expect {
      try Arena([.init(name: "x", shape: [count], elementType: type)])
    } throws: { error in
      guard case .exceedsMemory? = error as? MemoryError else { return false }
      return true
    }
  }

  @Test func tensorsOutliveTheArenasName() throws {
    let tensor = try Arena(entries)["c"]!
    tensor.fill(2)
    #expect(tensor.array() == Array(repeating: 2, count: 33))
  }

  @Test func anEmptyArenaIsFine() throws {
    let arena = try Arena([])
    #expect(arena.byteCount == 0)
    #expect(arena.all.array() == [])
  }

  /// Spans several huge pages, so that the aligned mapping is exercised, and ends off a page boundary.
  @Test(arguments: Placement.allCases)
  func memoryIsZeroAndPlaced(placement: Placement) throws {
    let count = 3 << 19 | 5
    let tensor = try Arena([.init(name: "large", shape: [count])], placement: placement)["large"]!
    #expect(tensor.withSpan { span in span.indices.allSatisfy { span[$0] == 0 } })
    tensor[count - 1] = 1
    #expect(tensor[count - 1] == 1)
    let nodes = Placement.nodes
    guard let first = nodes.first, let last = nodes.last else { return }
    // A page has a node only once it is touched; the kernel's balancing between nodes hides one for a while, until it is
    // touched again.
    var ends: [[Int: Int]] = []
    for _ in 0..<100 {
      (tensor[0], tensor[count - 1]) = (1, 1)
      ends = [tensor.slice(0..<1), tensor.slice(count - 1..<count)].compactMap(\.pagesOfNodes)
      if ends.allSatisfy({ !$0.isEmpty }) { break }
    }
    #expect(ends.count == 2 && ends.allSatisfy { $0.count == 1 && nodes.contains($0.keys.first ?? -1) })
    if placement == .split { #expect(ends.map(\.keys.first) == [first, last]) }
  }

  @Test func whatExceedsMemoryIsRefusedBeforeMapping() throws {
    // 2⁵⁰ bytes: more than any machine has, less than an address can name.
    let before = ProcessUsage.current
    #expect {
      _ = try Arena([.init(name: "huge", shape: [1 << 28, 1 << 20])], what: "The parameters")
    } throws: { error in
      guard case .exceedsMemory(1 << 50, let available, "The parameters")? = error as? MemoryError else {
        return false
      }
      let sentence = "\(error)"
      return available > 0 && available < 1 << 50 && sentence.contains("1 PiB (1125899906842624 bytes)")
        && sentence.contains("The parameters") && sentence.contains("(\(available) bytes)")
    }
    #expect(ProcessUsage.current.residentBytes < before.residentBytes + (1 << 30))
  }

  /// Two arenas of three fifths of the memory each do not fit together, touched or not.
  @Test func untouchedArenasCountAsUsed() async throws {
    await #expect(processExitsWith: .success) {
      guard let available = Topology.detect().availableMemoryBytes else { return }
      let entry = Arena.Entry(name: "most", shape: [available / 5 * 3 / 4])
      // A kernel that does not overcommit may refuse the first one.
      guard let first = try? Arena([entry]) else { return }
      #expect(throws: MemoryError.self) { try Arena([entry]) }
      #expect(first.byteCount >= available / 5 * 3 / 4 * 4)
    }
  }

  @Test(arguments: [[-1], [2, -3], [Int.max], [1 << 40, 1 << 40], [Int.max, 2], [Int.max / 4]])
  func impossibleShapesAreRefused(shape: [Int]) {
    #expect(throws: MemoryError.invalidShape(name: "bad", shape: shape)) {
      try Arena([.init(name: "good", shape: [1]), .init(name: "bad", shape: shape)])
    }
  }

  @Test func sumsOfShapesDoNotOverflow() {
    let quarter = Int.max / 64 / 2
    #expect(throws: MemoryError.self) {
      try Arena((0..<4).map { .init(name: "\($0)", shape: [quarter]) })
    }
  }

  @Test func aShapeWithZeroIsEmptyHoweverLarge() throws {
    let arena = try Arena([.init(name: "none", shape: [Int.max, Int.max, 0])])
    #expect(arena.byteCount == 0)
    #expect(arena["none"]?.count == 0)
  }

  /// Where the limit allows it the pages are locked; where it does not, the notice names the limit.
  @Test func lockedArenasAreLockedOrSayWhy() throws {
    let arena = try Arena([.init(name: "locked", shape: [4 << 20])], locked: true)
    if let notice = arena.notice {
      #expect(notice.contains("RLIMIT_MEMLOCK"))
    } else {
      let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
      let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmLck:") })
      let kibibytes = try #require(line.split(separator: " ").dropLast().last.flatMap { Int($0) })
      #expect(kibibytes * 1024 >= 16 << 20)
    }
    arena.all.fill(1)
    #expect(arena.all[arena.all.count - 1] == 1)
  }

  @Test func aRefusedLockIsANoticeAndNotAnError() throws {
    let arena = try Arena.guarded([.init(name: "x", shape: [100])], locked: true)
    let notice = try #require(arena.notice)
    #expect(notice.contains("not locked"))
    #expect(notice.contains("RLIMIT_MEMLOCK is "))
    arena.all.fill(3)
    #expect(arena.all.array() == Array(repeating: 3, count: 100))
  }

  @Test func withoutALockThereIsNoNotice() throws {
    #expect(try Arena(entries).notice == nil)
  }

  @Test func usageCountsTouchedPages() throws {
    let before = ProcessUsage.current
    let tensor = try Arena([.init(name: "touched", shape: [16 << 20])])["touched"]!
    tensor.fill(1)
    let after = ProcessUsage.current
    #expect(after.minorPageFaults > before.minorPageFaults)
    #expect(after.majorPageFaults >= before.majorPageFaults)
    #expect(after.residentBytes >= 64 << 20)
    #expect(after.peakResidentBytes >= 64 << 20)
  }
}
