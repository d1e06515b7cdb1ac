import Machine
import Testing

@Suite struct TopologyTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  /// 2 sockets, each a NUMA node, of 2 cores of 2 threads: processor p and p + 4 share a core.
  private func writeTwoSockets() throws {
    try folder.write("0-7\n", to: "sys/devices/system/cpu/online")
    try folder.write("0-1\n", to: "sys/devices/system/node/online")
    try folder.write("0-1,4-5\n", to: "sys/devices/system/node/node0/cpulist")
    try folder.write("2-3,6-7\n", to: "sys/devices/system/node/node1/cpulist")
    for id in 0..<8 {
      let cpu = "sys/devices/system/cpu/cpu\(id)"
      let first = id % 4
      let socket = first / 2
      try folder.write("\(first),\(first + 4)\n", to: "\(cpu)/topology/core_cpus_list")
      try folder.write("\(socket)\n", to: "\(cpu)/topology/physical_package_id")
      let share = "\(first),\(first + 4)"
      let all = socket == 0 ? "0-1,4-5" : "2-3,6-7"
      let caches = [
        (1, "Data", "48K", share), (1, "Instruction", "32K", share), (2, "Unified", "2048K", share),
        (3, "Unified", "32M", all),
      ]
      for (index, cache) in caches.enumerated() {
        try folder.write("\(cache.0)\n", to: "\(cpu)/cache/index\(index)/level")
        try folder.write("\(cache.1)\n", to: "\(cpu)/cache/index\(index)/type")
        try folder.write("\(cache.2)\n", to: "\(cpu)/cache/index\(index)/size")
        try folder.write("\(cache.3)\n", to: "\(cpu)/cache/index\(index)/shared_cpu_list")
      }
    }
    try folder.write(
      "processor\t: 0\nmodel name\t: Some   CPU @ 2GHz\n\nprocessor\t: 1\nmodel name\t: Other\n",
      to: "proc/cpuinfo")
    try folder.write(
      "MemTotal:       1048576 kB\nMemFree:  1 kB\nMemAvailable:    524288 kB\n", to: "proc/meminfo")
  }

  private func detect(affinity: [Int] = Array(0..<8)) -> Topology {
    Topology.detect(root: folder.path, affinity: affinity)
  }

  @Test func twoSocketsWithSMT() throws {
    try writeTwoSockets()
    let topology = detect()
    #expect(topology.processors.map(\.id) == Array(0..<8))
    #expect(topology.processors.map(\.core) == [0, 1, 2, 3, 0, 1, 2, 3])
    #expect(topology.processors.map(\.socket) == [0, 0, 1, 1, 0, 0, 1, 1])
    #expect(topology.processors.map(\.node) == [0, 0, 1, 1, 0, 0, 1, 1])
    #expect(topology.cores == [0, 1, 2, 3])
    #expect(topology.sockets == [0, 1])
    #expect(topology.nodes == [0, 1])
    #expect(topology.threadsPerCore == 2)
    #expect(topology.siblings(of: 5) == [1, 5])
    #expect(topology.siblings(of: 99) == [])
    #expect(topology.cpuQuota == nil)
    #expect(topology.modelName == "Some CPU @ 2GHz")
    #expect(topology.totalMemoryBytes == 1 << 30)
    #expect(topology.availableMemoryBytes == 1 << 29)
    #expect(topology.defaultThreads == 4)
  }

  @Test func cachesAreCountedOnce() throws {
    try writeTwoSockets()
    let caches = detect().caches
    #expect(caches.count == 4 + 4 + 4 + 2)
    #expect(caches[0].level == 1 && caches[0].kind == .data && caches[0].byteCount == 48 << 10)
    #expect(caches[0].processors == [0, 4])
    #expect(caches[4].level == 1 && caches[4].kind == .instruction && caches[4].byteCount == 32 << 10)
    #expect(caches[13].level == 3 && caches[13].kind == .unified && caches[13].byteCount == 32 << 20)
    #expect(caches[13].processors == [2, 3, 6, 7])
  }

  @Test func theAffinityMaskLimitsThreadsByCores() throws {
    try writeTwoSockets()
    // Two threads of core 1, and core 2; processor 9 is not online.
    let topology = detect(affinity: [1, 2, 5, 9])
    #expect(topology.affinity == [1, 2, 5])
    #expect(topology.defaultThreads == 2)
    #expect(topology.processors.count == 8)
    // A mask that says nothing usable.
    #expect(detect(affinity: []).affinity == Array(0..<8))
  }

  @Test func theDescriptionSaysItAll() throws {
    try writeTwoSockets()
    try folder.write("150000 100000\n", to: "sys/fs/cgroup/cpu.max")
    #expect(
      detect(affinity: [0, 4]).description == """
        processor  Some CPU @ 2GHz
                   2 sockets, 2 NUMA nodes, 4 cores, 8 logical processors, 2 of them allowed, \
        a quota of 1.5 CPUs
        caches     L1d 4 × 48 KiB, L1i 4 × 32 KiB, L2 4 × 2 MiB, L3 2 × 32 MiB
        memory     1 GiB, 512 MiB available
        threads    1 by default
        """)
  }

  @Test(arguments: [("150000 100000", 1.5, 2), ("50000 100000", 0.5, 1), ("800000 100000", 8, 4)])
  func aQuotaOfCgroupV2LimitsThreads(text: String, quota: Double, threads: Int) throws {
    try writeTwoSockets()
    try folder.write("0::/outer/inner\n", to: "proc/self/cgroup")
    try folder.write("max 100000\n", to: "sys/fs/cgroup/outer/inner/cpu.max")
    try folder.write(text + "\n", to: "sys/fs/cgroup/outer/cpu.max")
    #expect(detect().cpuQuota == quota)
    #expect(detect().defaultThreads == threads)
  }

  @Test func aQuotaOfCgroupV1LimitsThreads() throws {
    try writeTwoSockets()
    try folder.write("5:cpu,cpuacct:/job\n4:memory:/job\n0::/\n", to: "proc/self/cgroup")
    try folder.write("250000\n", to: "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us")
    try folder.write("100000\n", to: "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us")
    #expect(detect().cpuQuota == 2.5)
    #expect(detect().defaultThreads == 3)
    try folder.write("-1\n", to: "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us")
    #expect(detect().cpuQuota == nil)
  }

  /// In a container the group's path may be the host's, which is not below the mount.
  @Test func aGroupPathThatDoesNotExistFallsBackToTheMount() throws {
    try writeTwoSockets()
    try folder.write("0::/../host/path\n", to: "proc/self/cgroup")
    try folder.write("200000 100000\n", to: "sys/fs/cgroup/cpu.max")
    #expect(detect().cpuQuota == 2)
  }

  @Test func memoryLimitsOfCgroupV2LeaveOutTheFileCache() throws {
    try writeTwoSockets()
    try folder.write("0::/job\n", to: "proc/self/cgroup")
    try folder.write("1000000\n", to: "sys/fs/cgroup/job/memory.max")
    try folder.write("700000\n", to: "sys/fs/cgroup/job/memory.current")
    try folder.write(
      "anon 1\ninactive_file 200000\nactive_file 100000\n", to: "sys/fs/cgroup/job/memory.stat")
    #expect(detect().totalMemoryBytes == 1_000_000)
    #expect(detect().availableMemoryBytes == 600_000)
    try folder.write("max\n", to: "sys/fs/cgroup/job/memory.max")
    #expect(detect().availableMemoryBytes == 1 << 29)
  }

  @Test func memoryLimitsOfCgroupV1() throws {
    try writeTwoSockets()
    try folder.write("4:memory:/job\n", to: "proc/self/cgroup")
    let job = "sys/fs/cgroup/memory/job"
    try folder.write("1000000\n", to: "\(job)/memory.limit_in_bytes")
    try folder.write("700000\n", to: "\(job)/memory.usage_in_bytes")
    try folder.write("inactive_file 1\ntotal_inactive_file 200000\n", to: "\(job)/memory.stat")
    #expect(detect().availableMemoryBytes == 500_000)
    // A group that is over its limit.
    try folder.write("1900000\n", to: "\(job)/memory.usage_in_bytes")
    #expect(detect().availableMemoryBytes == 0)
    // v1 says "no limit" with a number larger than any memory.
    try folder.write("9223372036854771712\n", to: "\(job)/memory.limit_in_bytes")
    #expect(detect().totalMemoryBytes == 1 << 30)
    #expect(detect().availableMemoryBytes == 1 << 29)
  }

  @Test func withoutAnyFileThereIsStillAMachine() {
    let topology = detect(affinity: [3, 5])
    #expect(topology.processors.map(\.id) == [3, 5])
    #expect(topology.cores == [3, 5])
    #expect(topology.sockets == [0])
    #expect(topology.nodes == [0])
    #expect(topology.caches == [])
    #expect(topology.cpuQuota == nil)
    #expect(topology.totalMemoryBytes == nil)
    #expect(topology.modelName == "unknown processor")
    #expect(topology.defaultThreads == 2)
    #expect(detect(affinity: []).processors.map(\.id) == [0])
    #expect(detect(affinity: []).defaultThreads == 1)
  }

  /// Whatever a file holds, detection ends with a machine of the online processors and does not trap.
  @Test(arguments: [
    "", "\n", "garbage", "-1", "9223372036854775807", "9223372036854775807K", "3-1", "0-999999999999", "1,,2",
    "-",
    "0 0", "9223372036854775807 1", "1 0", "::::", "0::", "é\u{0}",
  ])
  func garbledFilesFallBack(text: String) throws {
    try writeTwoSockets()
    let cpu = "sys/devices/system/cpu/cpu1"
    let garbled = [
      "\(cpu)/topology/core_cpus_list", "\(cpu)/topology/physical_package_id", "\(cpu)/cache/index0/size",
      "\(cpu)/cache/index1/level", "\(cpu)/cache/index2/shared_cpu_list", "\(cpu)/cache/index3/type",
      "sys/devices/system/node/online", "sys/devices/system/node/node0/cpulist", "proc/cpuinfo",
      "sys/fs/cgroup/cpu.max", "sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory.current",
      "sys/fs/cgroup/memory.stat",
    ]
    for name in garbled { try folder.write(text, to: name) }
    let topology = detect()
    #expect(topology.processors.map(\.id) == Array(0..<8))
    #expect(topology.defaultThreads >= 1 && topology.defaultThreads <= 8)
    #expect(topology.caches.allSatisfy { $0.byteCount > 0 && !$0.processors.isEmpty })
    #expect(!topology.description.isEmpty)
    for name in ["proc/meminfo", "proc/self/cgroup", "sys/devices/system/cpu/online"] {
      try folder.write(text, to: name)
    }
    #expect(!detect().processors.isEmpty)
    #expect(detect().defaultThreads >= 1)
  }

  @Test func anInvalidUTF8FileIsMissing() throws {
    try writeTwoSockets()
    try folder.write([0xFF, 0xFE, 0x80], to: "proc/cpuinfo")
    #expect(detect().modelName == "unknown processor")
  }

  @Test func arm64NamesItselfByNumbers() throws {
    try folder.write(
      "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n", to: "proc/cpuinfo")
    #expect(detect().modelName == "Arm part 0xd40")
  }

  @Test func thisMachineIsConsistent() {
    let topology = Topology.current
    #expect(!topology.affinity.isEmpty)
    #expect(topology.defaultThreads >= 1)
    #expect(topology.defaultThreads <= topology.affinity.count)
    #expect(topology.cores.count <= topology.processors.count)
    #expect((topology.availableMemoryBytes ?? 1) > 0)
    #expect((topology.availableMemoryBytes ?? 0) <= (topology.totalMemoryBytes ?? 0))
  }
}
