import AMXEmulator
import Machine
import Operators
import Reference
import TestSupport
import Testing

/// Products of bfloat16 in AMX's order: link by link, and who computes them.
@Suite struct TileUnitTests {
  private static func context(
    _ set: InstructionSet = .best, _ unit: TileUnit? = nil
  ) throws -> ExecutionContext { try ExecutionContext(threads: 1, instructionSet: set, tileUnit: unit) }

  private static func everyKernel() throws -> [Kernels] {
    try InstructionSet.available.flatMap { set in
      try TileUnit.all(beside: set).map { try context(set, $0).kernels }
    }
  }

  /// Bits, those of all NaNs the same: which NaN remains is open.
  private static func bits(_ values: [Float]) -> [UInt32] {
    values.map { $0.isNaN ? Float.nan.bitPattern : $0.bitPattern }
  }

  /// The first pair of a link, with numbers of every kind; AMX's real instructions take a thousandth of the links.
  @Test(arguments: 1...4) func allKernelsAgreeToTheBit(_ seed: UInt64) throws {
    let links = PairedLinks(20_000, seed: seed)
    func sums(_ kernels: Kernels, _ count: Int) -> [UInt32] {
      Self.bits(
        kernels.dot(
          Array(links.x.prefix(count)), Array(links.y.prefix(count)), adding: Array(links.sums.prefix(count)),
          order: .tiles))
    }
    let expected = sums(try Self.everyKernel()[0], 20_000)
    for kernels in try Self.everyKernel() {
      let count = kernels.tileUnit == .amx ? 2000 : 20_000
      #expect(sums(kernels, count) == Array(expected.prefix(count)), "\(kernels.pairedName(.tiles))")
    }
  }

  /// Infinite and NaN results aside, which the reference leaves open.
  @Test func theReferenceSaysSo() throws {
    let links = PairedLinks(20_000, seed: 5, isFinite: true)
    func numbers(_ pair: UInt32) -> ArraySlice<Float> {
      // The others matter: what is flushed to −0 becomes +0 with them.
      [Float(bitPattern: pair << 16), Float(bitPattern: pair & 0xFFFF_0000)]
        + [Float](repeating: 0, count: ReferencePairs.tileLinkLength - 2)
    }
    let expected = links.sums.indices.map {
      ReferencePairs.tileLink(links.sums[$0], numbers(links.x[$0]), numbers(links.y[$0]))
    }
    let sums = try Self.context().kernels.dot(links.x, links.y, adding: links.sums, order: .tiles)
    let wrong = sums.indices.filter {
      sums[$0].bitPattern != expected[$0].bitPattern && !(sums[$0].isNaN && expected[$0].isNaN)
    }
    #expect(wrong.isEmpty)
  }

  /// Whole links of numbers so small that products, their sums and what is left of them are flushed now and then, and
  /// others among them; operands are not even rounded before.
  @Test(arguments: 1...6) func chainsOfSmallNumbers(_ seed: UInt64) throws {
    var random = TestRandom(seed: seed)
    let (rows, columns, depth) = (37, 50, 97)
    func numbers(_ count: Int) -> [Float] {
      (0..<count).map { _ in
        let bits = UInt32(truncatingIfNeeded: random.next())
        let exponent = bits >> 8 % 16 == 0 ? 0 : 55 + (bits >> 12) % 18
        return Float(bitPattern: bits & 0x807F_0000 | exponent << 23)
      }
    }
    let (a, b) = (numbers(rows * depth), numbers(depth * columns))
    let c = numbers(rows * columns).map { $0 * 0x1p-62 }
    let expected = ReferencePairs.product(
      rows: rows, columns: columns, depth: depth, order: .tiles, a: { a[$0 * depth + $1] },
      b: { b[$0 * columns + $1] }, addedTo: c)
    for (set, outputs) in try everywhere(
      .tiles, { ["c": try Self.product(a, b, addedTo: c, rows: rows, columns: columns, at: $0)] })
    { expect(outputs["c"], equals: expected, "\(set)") }
  }

  /// C (M, N) + A·B, whose elements bfloat16 holds and nothing rounds before.
  private static func product(
    _ a: [Float], _ b: [Float], addedTo c: [Float], rows: Int, columns: Int, at place: Place
  ) throws -> [Float] {
    func operand(_ values: [Float], columns: Int) throws -> Matrix {
      let tensor = try place.pairedOutput(values.count)
      Conversion.forward(try place.input(values), y: tensor, context: place.context)
      return tensor.matrix(columns: columns)
    }
    let result = try place.input(c)
    try place.context.perform(
      GEMM.work(
        operand(a, columns: a.count / rows), .rows(operand(b, columns: columns), .tiles),
        accumulate: true,
        into: result.matrix(columns: columns), context: place.context))
    return result.array()
  }

  /// By hand: one element of C, with a and b of up to two pairs.
  @Test(
    arguments: [
      // The even products meet the odd ones before they meet C: 2²⁴ + (1 + 1), not (2²⁴ + 1) + 1.
      ([1, 1], [1, 1], 0x1p24, 0x1p24 + 2),
      // Chains of even and of odd elements: (2²⁴ + 1 − 2²⁴) + 0, where 1 is lost.
      ([0x1p24, 0, 1, 0], [1, 0, 1, 0], -0x1p24, 0), ([0x1p24, 1], [1, 1], -0x1p24, 0),
      ([0x1p12, 0, 1, 0], [0x1p12, 0, -1, 0], -0x1p24, -1),
      // Denormal operands and sums before.
      ([0x1p-127], [1], 0, 0), ([1], [0x1p-130], 1, 1), ([0], [1], 0x1p-127, 0), ([0], [1], -0x1p-127, 0),
      // Results: products, sums of chains, what is added to C.
      ([0x1p-126], [0.5], 0, 0), ([0x1.8p-126, 0x1p-126], [1, -1], 0, 0),
      ([0x1.02p-126], [1], -0x1p-126, 0), ([0x1p-126], [1], 0x1p-126, 0x1p-125),
      // 2⁻¹²⁶·(1 − ¾·2⁻²⁴) stays below with 24 bits, and float would round it up; half of that difference does not.
      ([0x1p-126, 0, -0x1p-126, 0], [1, 0, 0x1.8p-25, 0], 0, 0),
      ([0, 0x1p-126, 0, -0x1p-126], [0, 1, 0, 0x1.8p-25], 0, 0),
      ([0x1p-126, 0, -0x1p-126, 0], [1, 0, 0x1.8p-26, 0], 0, 0x1p-126),
    ] as [([Float], [Float], Float, Float)])
  func specialValues(_ a: [Float], _ b: [Float], c: Float, expected: Float) throws {
    for (set, outputs) in try everywhere(
      .tiles, { ["c": try Self.product(a, b, addedTo: [c], rows: 1, columns: 1, at: $0)] })
    { #expect(outputs["c"] == [expected], "\(set)") }
    let plain = ReferencePairs.product(
      rows: 1, columns: 1, depth: a.count, order: .tiles, a: { a[$1] }, b: { k, _ in b[k] }, addedTo: [c])
    #expect(plain == [expected])
  }

  // MARK: - Who multiplies

  @Test(arguments: InstructionSet.available) func whoMultiplies(_ set: InstructionSet) throws {
    for unit in TileUnit.all(beside: set) {
      let kernels = try Self.context(set, unit).kernels
      #expect(kernels.tileUnit == unit && kernels.pairedName(.tiles) == (unit == .amx ? "amx" : set.rawValue))
    }
    if set != .avx512 {
      let sentence = "AMX is used beside avx512, not beside \(set.rawValue)"
      #expect(try Self.context(set).kernels.tileUnit == .emulated(sentence))
    }
  }

  /// What the machine lacks, the kernel refuses, or does not pass the check, in that order; nobody asks for more.
  @Test func theUnitIsAskedFor() {
    let none = TileUnit(features: ProcessorFeatures(rawValue: .max).subtracting(.amxTile)) {
      Issue.record("nobody asks the kernel for what is not there")
      return nil
    }
    #expect(none == .emulated("this machine has no AMX"))
    let refused = TileUnit(features: ProcessorFeatures(rawValue: .max)) { "Invalid argument (errno 22)" }
    #expect(
      refused == .emulated("the kernel refuses AMX's tiles to this process: Invalid argument (errno 22)"))
  }

  #if os(Linux) && arch(x86_64)
    /// Linux says the same to a process that asks in vain.
    @Test(.enabled(if: amx_is_missing() != 0)) func theKernelRefusesWhatIsNotThere() {
      let refusal = TilePermission.request()
      #expect(refusal?.contains("(errno ") == true, "\(refusal ?? "granted")")
      #expect(TileUnit.current == .emulated("this machine has no AMX"))
    }
  #endif
}

/// The check before AMX is used, under emulation: it lets a right unit pass and no wrong one.
@Suite(
  .enabled(if: amx_is_missing() != 0 && TileUnit.canExecute && InstructionSet.available.contains(.avx512)))
struct TileCheckTests {
  private func unit(_ fault: amx_fault) -> TileUnit {
    amx_set_fault(fault)
    defer { amx_set_fault(amx_no_fault) }
    return TileUnit(features: ProcessorFeatures(rawValue: .max)) { nil }
  }

  @Test func aRightUnitPasses() {
    let before = amx_counts_of_thread()
    #expect(unit(amx_no_fault) == .amx)
    let after = amx_counts_of_thread()
    #expect(after.dot > before.dot && after.release > before.release)
  }

  /// Whoever then multiplies does it without the unit, with the same bits.
  @Test(arguments: [
    (1, "numbers"), (2, "numbers below the normal ones"), (3, "numbers"),
  ]) func aWrongUnitDoesNot(fault: UInt32, kind: String) throws {
    let found = unit(amx_fault(fault))
    #expect(found == .emulated("this machine's AMX adds \(kind) otherwise than Intel's manual says"))
    let context = try ExecutionContext(threads: 1, instructionSet: .avx512, tileUnit: found)
    #expect(context.kernels.pairedName(.tiles) == "avx512")
    let links = PairedLinks(1000, seed: 8)
    let portable = try ExecutionContext(threads: 1, instructionSet: .portable)
    func sums(_ context: ExecutionContext) -> [UInt32] {
      context.kernels.dot(links.x, links.y, adding: links.sums, order: .tiles).map {
        $0.isNaN ? Float.nan.bitPattern : $0.bitPattern
      }
    }
    amx_set_fault(amx_fault(fault))
    defer { amx_set_fault(amx_no_fault) }
    let before = amx_counts_of_thread().dot
    #expect(sums(context) == sums(portable) && amx_counts_of_thread().dot == before)
  }

  /// Each tile is configured before it is used, and the state is given back; loads and dots are those of 2 × 2 tiles.
  @Test func instructionsOfAProduct() throws {
    let context = try ExecutionContext(threads: 1, instructionSet: .avx512, tileUnit: .amx)
    let place = Place(context, edge: .end)
    defer { place.giveBack() }
    let (rows, columns, depth) = (40, 80, 64)
    let c = try place.output(rows * columns)
    let work = try GEMM.work(
      place.operand([Float](repeating: 1, count: rows * depth), columns: depth),
      .panels(
        place.panels(
          place.input([Float](repeating: 1, count: depth * columns)).matrix(columns: columns), order: .tiles)),
      into: c.matrix(columns: columns), context: context)
    let before = amx_counts_of_thread()
    context.perform(work)
    let after = amx_counts_of_thread()
    // Two groups of rows (32, 8), each with two shapes (32 columns twice, 16 once); two links each.
    #expect(after.load_configuration - before.load_configuration == 4 && after.release - before.release == 2)
    // Tiles of C: (2 + 1)·(2 + 2 + 1); each is cleared, added to in two links and stored.
    #expect(after.zero - before.zero == 15 && after.store - before.store == 15)
    #expect(after.dot - before.dot == 30)
    // Of A and B: for each link of each group 2 + 2, twice, and 2 + 1; then 1 + 2, twice, and 1 + 1.
    #expect(after.load - before.load == 2 * (4 + 4 + 3 + 3 + 3 + 2))
    #expect(c.array().allSatisfy { $0 == Float(depth) })
  }
}
