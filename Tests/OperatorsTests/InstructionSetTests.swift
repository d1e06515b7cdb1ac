import Foundation
import Machine
import Operators
import Testing

@Suite struct InstructionSetTests {
  /// The tiles of the headers in CKernels/vector.
  private static let tiles: [InstructionSet: (rows: Int, columns: Int)] = [
    .portable: (4, 16), .avx2: (6, 16), .avx512: (8, 48),
  ]

  /// The table that runs names itself; its tile is that of its header, and the multiply-add loop has as many
  /// accumulators, of 2 operations each.
  @Test(arguments: InstructionSet.available) func whatRunsIsWhatWasAskedFor(_ set: InstructionSet) throws {
    let context = try ExecutionContext(threads: 1, instructionSet: set)
    #expect(context.instructionSet == set)
    #expect(context.kernels.name == set.rawValue)
    let tile = try #require(Self.tiles[set])
    #expect(context.kernels.tileRows == tile.rows)
    #expect(context.kernels.tileColumns == tile.columns)
    let rounds = 1000
    let done = Limits.multiplyAdd(iterations: rounds, context: context)
    #expect(done == Double(2 * rounds * context.kernels.tileRows * context.kernels.tileColumns))
  }

  /// Tests run over what the machine has: where GPT2_TEST_REQUIRE names more than that, they fail here.
  @Test func requiredSetsAreThere() {
    let required = ProcessInfo.processInfo.environment["GPT2_TEST_REQUIRE"] ?? ""
    #expect(missing(of: required) == [], "GPT2_TEST_REQUIRE; this machine has \(names)")
  }

  @Test func whatIsNotThereIsMissing() {
    #expect(missing(of: "") == [])
    #expect(missing(of: InstructionSet.available.map(\.rawValue).joined(separator: ",")) == [])
    let absent = InstructionSet.allCases.filter { !InstructionSet.available.contains($0) }.map(\.rawValue)
    for name in absent + ["avx1024", "AVX2", "auto", " "] {
      #expect(missing(of: name) == [name])
      #expect(missing(of: "portable,\(name)") == [name])
    }
    #expect(missing(of: "portable,") == [""])
  }

  /// Those of the comma-separated names that are not names of available instruction sets.
  private func missing(of text: String) -> [String] {
    if text.isEmpty { return [] }
    let available = InstructionSet.available.map(\.rawValue)
    return text.split(separator: ",", omittingEmptySubsequences: false).map(String.init).filter {
      !available.contains($0)
    }
  }

  @Test func everyTableDiffers() throws {
    let names = try InstructionSet.available.map {
      try ExecutionContext(threads: 1, instructionSet: $0).kernels.name
    }
    #expect(Set(names).count == InstructionSet.available.count)
  }

  @Test func portableIsAlwaysThereAndTheBestIsTheLast() throws {
    #expect(InstructionSet.available.first == .portable)
    #expect(InstructionSet.available.allSatisfy { $0 <= InstructionSet.best })
    #expect(try ExecutionContext(threads: 1).instructionSet == InstructionSet.best)
  }

  @Test(arguments: InstructionSet.available) func named(_ set: InstructionSet) throws {
    #expect(try InstructionSet(named: set.rawValue) == set)
    #expect(try InstructionSet(named: "auto") == InstructionSet.best)
  }

  @Test(arguments: ["", "AVX2", "avx2 ", "sse", "avx512f"]) func unknownName(_ name: String) {
    let error = #expect(throws: InstructionSetError.unknown(name)) { try InstructionSet(named: name) }
    let sentence = error?.description ?? ""
    #expect(sentence.hasPrefix("unknown instruction set '\(name)': this machine has auto, portable"))
    for set in InstructionSet.available { #expect(sentence.contains(set.rawValue)) }
  }

  @Test func unavailableName() {
    for set in InstructionSet.allCases where !InstructionSet.available.contains(set) {
      #expect(throws: InstructionSetError.unavailable(set)) { try InstructionSet(named: set.rawValue) }
    }
    let sentence = InstructionSetError.unavailable(.avx512).description
    #expect(sentence.contains("avx512 is not supported") && sentence.hasSuffix(names))
  }

  /// What a machine with some features gets, whichever this one is: every required feature counts.
  @Test func choiceByFeaturesAndPriority() {
    let every = ProcessorFeatures(rawValue: .max)
    #expect(InstructionSet.available(with: []) == [.portable])
    #expect(InstructionSet.available(with: every) == InstructionSet.allCases)
    #expect(InstructionSet.available(with: every.subtracting(.avx512VL)) == [.portable, .avx2])
    #expect(InstructionSet.available(with: every.subtracting(.fma)) == [.portable])
    #expect(MatrixUnit.available(with: every) == [.avx512VNNI, .avx512BF16, .amx])
    #expect(MatrixUnit.available(with: every.subtracting(.amxTile)) == [.avx512VNNI, .avx512BF16])
    // Beside the vectors that its kernels share, or not at all.
    #expect(MatrixUnit.available(with: every.subtracting(.avx512BW)).isEmpty)
    #expect(MatrixUnit.available(with: InstructionSet.avx512.requiredFeatures).isEmpty)
    for set in InstructionSet.allCases {
      for bit in 0..<UInt64.bitWidth {
        let feature = ProcessorFeatures(rawValue: 1 << bit)
        let isRequired = set.requiredFeatures.contains(feature)
        #expect(InstructionSet.available(with: every.subtracting(feature)).contains(set) != isRequired)
      }
    }
    #expect(Set(InstructionSet.allCases.map(\.priority)).count == InstructionSet.allCases.count)
    #expect(Set(MatrixUnit.allCases.map(\.priority)).count == MatrixUnit.allCases.count)
  }

  private var names: String { InstructionSet.available.map(\.rawValue).joined(separator: ", ") }

  #if os(Linux) && arch(x86_64)
    /// What /proc/cpuinfo calls them; Linux tells of AMX where it saves the tiles.
    private static let features: [(String, ProcessorFeatures)] = [
      ("avx2", .avx2), ("fma", .fma), ("avx512f", .avx512F), ("avx512dq", .avx512DQ), ("avx512bw", .avx512BW),
      ("avx512vl", .avx512VL), ("avx512_vnni", .avx512VNNI), ("avx512_bf16", .avx512BF16),
      ("amx_tile", .amxTile), ("amx_int8", .amxInt8), ("amx_bf16", .amxBF16),
    ]

    /// What the kernel tells of the first processor, detected apart from our own code.
    @Test func agreesWithTheKernel() throws {
      let text = try String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
      let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("flags") })
      let flags = Set(line.split(separator: " ").map(String.init))
      for (flag, feature) in Self.features {
        #expect(ProcessorFeatures.current.contains(feature) == flags.contains(flag), "\(flag)")
      }
      let hasAVX2 = flags.isSuperset(of: ["avx2", "fma"])
      let hasAVX512 = hasAVX2 && flags.isSuperset(of: ["avx512f", "avx512dq", "avx512bw", "avx512vl"])
      #expect(InstructionSet.available.contains(.avx2) == hasAVX2)
      #expect(InstructionSet.available.contains(.avx512) == hasAVX512)
    }
  #else
    @Test func onlyPortableElsewhere() {
      #expect(InstructionSet.available == [.portable])
    }
  #endif
}
