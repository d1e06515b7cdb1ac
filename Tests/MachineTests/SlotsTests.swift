import Machine
import TestSupport
import Testing

/// Where threads are.
@Suite struct SlotsTests {
  private func slots(
    _ threads: Int, _ topology: Topology, isAllowed: Bool = true
  ) -> Slots { Slots(for: threads, on: topology) { isAllowed } }

  /// Two sockets of two caches of four cores with siblings: a slot a core, domain by domain.
  @Test func aSlotACoreCacheByCache() {
    let topology = Topology.simulated(nodes: 2, cachesPerNode: 2, coresPerCache: 4, siblings: 2)
    let slots = slots(16, topology)
    #expect(slots.arePinned && slots.count == 16 && slots.notice == nil)
    #expect(slots.processors == Array(0..<16))
    #expect(slots.domains.map(\.slots) == [0..<4, 4..<8, 8..<12, 12..<16])
    #expect(slots.domains.map(\.node) == [0, 0, 1, 1])
    // Its own node's first, then by number.
    #expect(slots.domains.map(\.others) == [[1, 2, 3], [0, 2, 3], [3, 1, 0], [2, 1, 0]])
  }

  /// Threads beyond the cores sit on siblings, in their core's domain.
  @Test func siblingsAreTakenLast() {
    let topology = Topology.simulated(nodes: 2, coresPerCache: 2, siblings: 2)
    let slots = slots(6, topology)
    #expect(slots.domains.map(\.slots) == [0..<4, 4..<6])
    #expect(slots.processors == [0, 1, 4, 5, 2, 3])
    #expect(self.slots(8, topology).processors == [0, 1, 4, 5, 2, 3, 6, 7])
  }

  @Test func theNearestNodeIsHelpedFirst() {
    let row = [[10, 32, 21], [32, 10, 16], [21, 16, 10]]
    let distances = Dictionary(
      uniqueKeysWithValues: row.enumerated().map { node, row in
        (node, Dictionary(uniqueKeysWithValues: row.enumerated().map { ($0, $1) }))
      })
    let slots = slots(6, .simulated(nodes: 3, coresPerCache: 2, distances: distances))
    #expect(slots.domains.map(\.others) == [[2, 1], [2, 0], [1, 0]])
  }

  /// A mask of one node, and one that cuts through two.
  @Test func slotsLieWithinTheMask() {
    func topology(_ affinity: [Int]) -> Topology {
      .simulated(nodes: 2, coresPerCache: 4, affinity: affinity)
    }
    let one = slots(4, topology([4, 5, 6, 7]))
    #expect(one.processors == [4, 5, 6, 7] && one.domains.map(\.node) == [1])
    let both = slots(3, topology([2, 3, 6]))
    #expect(both.processors == [2, 3, 6] && both.domains.map(\.slots) == [0..<2, 2..<3])
  }

  /// Fewer than cores, more than processors, one thread: the kernel places them, in one domain.
  @Test(arguments: [1, 3, 9, 64])
  func othersAreNotPinned(threads: Int) {
    let slots = slots(threads, .simulated(nodes: 2, coresPerCache: 2, siblings: 2))
    #expect(!slots.arePinned && slots.notice == nil && slots.domains.map(\.slots) == [0..<threads])
  }

  @Test func aQuotaAndARefusalAreSaid() {
    let quota = slots(4, .simulated(nodes: 1, coresPerCache: 4, cpuQuota: 2.5))
    #expect(!quota.arePinned && quota.notice?.contains("2.5 CPUs") == true)
    #expect(slots(4, .simulated(nodes: 1, coresPerCache: 4, cpuQuota: 4)).arePinned)
    let refused = slots(4, .simulated(nodes: 1, coresPerCache: 4), isAllowed: false)
    #expect(!refused.arePinned && refused.notice?.contains("does not let") == true)
  }

  /// What virtual machines say of caches that nobody shares makes no domains.
  @Test func cachesOfOneCoreAreNone() {
    let slots = slots(8, .simulated(nodes: 2, cachesPerNode: 4, coresPerCache: 1))
    #expect(slots.domains.map(\.slots) == [0..<4, 4..<8])
  }

  @Test func aThreadSitsDownNearby() {
    let slots = slots(8, .simulated(nodes: 2, cachesPerNode: 2, coresPerCache: 2))
    #expect(slots.nearest(to: 3) == [3, 2, 0, 1, 4, 5, 6, 7])
    #expect(slots.nearest(to: 99) == Array(0..<8))
    for processor in 0..<8 { #expect(Set(slots.nearest(to: processor)) == Set(0..<8)) }
  }

  @Test(arguments: [0, 1, 5, 8, 1000])
  func sharesCoverAllInOrder(count: Int) {
    for domains in [[1], [4, 4], [4, 2, 1], [1, 0, 3]] {
      let homes = Homes(slotsOf: domains)
      let shares = domains.indices.map { homes.share(of: count, $0) }
      #expect(shares.flatMap { Array($0) } == Array(0..<count))
      let slots = domains.reduce(0, +)
      for (share, own) in zip(shares, domains) { #expect(abs(share.count * slots - own * count) < slots) }
    }
  }

  /// Numbers of slots of 1, 2, 3 and 16 domains.
  private static let domains = [
    [5], [3, 3], [4, 2], [4, 0, 1], [2, 7, 1], [Int](1...16), [Int](repeating: 8, count: 16),
  ]

  /// Every row of some ranges is in one piece, of the domain whose share has it; pieces are no larger than they may be.
  @Test(arguments: domains, [(1, 1), (31, 4), (768, 48), (5027, 72), (50257, 48)])
  func piecesLieInTheirShares(_ domains: [Int], _ size: (count: Int, number: Int)) {
    let homes = Homes(slotsOf: domains)
    // Single rows, long gaps, ranges that touch, and both ends.
    let inner = [1..<2, 2..<9, 10..<11, 30..<700, 701..<3000, 3000..<4999, 20_001..<50_000]
    let ragged = inner.map { $0.clamped(to: 0..<size.count) }.filter { !$0.isEmpty }
    for ranges in [ragged, [0..<size.count], []] {
      let pieces = homes.pieces(of: ranges, in: size.count, number: size.number)
      #expect(pieces.count == domains.count)
      #expect(pieces.flatMap { $0 }.flatMap { Array($0) } == ranges.flatMap { Array($0) })
      for domain in domains.indices {
        let share = homes.share(of: size.count, domain)
        #expect(pieces[domain].allSatisfy { !$0.isEmpty && $0.clamped(to: share) == $0 })
        #expect(pieces[domain].allSatisfy { $0.count <= max(1, share.count / size.number) })
        // No range is cut into more than it must be.
        let parts = ranges.map { $0.clamped(to: share) }.filter { !$0.isEmpty }
        let least = max(1, share.count / size.number)
        #expect(pieces[domain].count == parts.reduce(0) { $0 + ($1.count + least - 1) / least })
      }
    }
  }

  /// In one domain they are the ranges, each cut by itself.
  @Test func piecesOfOneDomain() {
    let homes = Homes(slotsOf: [2])
    #expect(homes.pieces(of: [2..<7, 9..<10], in: 12, number: 4) == [[2..<5, 5..<7, 9..<10]])
    #expect(homes.pieces(of: [2..<7, 9..<10], in: 12, number: 1) == [[2..<7, 9..<10]])
  }
}

/// Which node has which part of a tensor.
@Suite struct NodeSharesTests {
  private func shares(_ slots: Slots, memory: [Int], _ topology: Topology) throws -> NodeShares {
    try #require(NodeShares(slots, memory: memory, on: topology))
  }

  /// A thread's share of rows lies on its node, to a page's half at its ends.
  @Test func sharesFollowTheSlots() throws {
    let topology = Topology.simulated(
      nodes: 2, cachesPerNode: 2, coresPerCache: 2, affinity: [0, 1, 2, 3, 4, 5])
    let slots = Slots(pinned: 6, on: topology)
    let shares = try shares(slots, memory: [0, 1], topology)
    let page = Buffer.pageBytes
    for bytes in [0..<60 * page, 7 * page + 64..<67 * page + 100, 3 * page..<3 * page + (1 << 28)] {
      let ranges = shares.ranges(of: bytes)
      #expect(ranges.map(\.node) == [0, 1])
      // Whole pages that cover the tensor.
      #expect(ranges[0].bytes.lowerBound == bytes.lowerBound / page * page)
      #expect(ranges[0].bytes.upperBound == ranges[1].bytes.lowerBound)
      #expect(ranges[1].bytes.upperBound == (bytes.upperBound + page - 1) / page * page)
      let bound = bytes.lowerBound + bytes.count * 4 / 6
      let grain = bytes.count > 1 << 27 ? Buffer.hugePageBytes : page
      #expect(abs(ranges[0].bytes.upperBound - bound) <= grain / 2)
      #expect(ranges[0].bytes.upperBound % grain == 0)
    }
  }

  /// A node without memory takes its nearest neighbour's; one without threads has no share.
  @Test func memoryIsTheNearest() throws {
    let topology = Topology.simulated(nodes: 3, coresPerCache: 2, distances: [1: [0: 30, 1: 10, 2: 15]])
    let three = Slots(pinned: 6, on: topology)
    let ranges = try shares(three, memory: [0, 2], topology).ranges(of: 0..<60 << 12)
    #expect(ranges.map(\.node) == [0, 2] && ranges[0].bytes == 0..<20 << 12)
    let two = Slots(pinned: 4, on: .simulated(nodes: 2, coresPerCache: 2))
    let nodes = try shares(two, memory: [0, 1, 2], topology).ranges(of: 0..<60 << 12).map(\.node)
    #expect(nodes == [0, 1])
  }

  @Test func oneNodeOrNoPlaceHasNoShares() {
    let topology = Topology.simulated(nodes: 2, coresPerCache: 2)
    #expect(NodeShares(Slots(pinned: 4, on: topology), memory: [1], on: topology) == nil)
    #expect(NodeShares(Slots(pinned: 4, on: topology), memory: [], on: topology) == nil)
    #expect(NodeShares(Slots(unpinned: 4), memory: [0, 1], on: topology) == nil)
    #expect(NodeShares(of: [0]) == nil && NodeShares(of: [0, 3]) != nil)
  }

  /// Touched pages are counted on this machine's nodes; others are not.
  @Test func pagesAreCounted() throws {
    let tensor = try Arena([.init(name: "pages", shape: [1 << 18])])["pages"]!
    guard !Placement.nodes.isEmpty, let before = tensor.pagesOfNodes else { return }
    #expect(before.values.reduce(0, +) == 0)
    tensor.fill(1)
    let pages = try #require(tensor.pagesOfNodes)
    #expect(pages.values.reduce(0, +) == (1 << 20) / Buffer.pageBytes)
    #expect(pages.keys.allSatisfy { Placement.nodes.contains($0) })
  }
}
