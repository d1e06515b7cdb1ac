import Testing
import Tokens

@Suite struct XorshiftGeneratorTests {
  /// Computed by the formula with Python's integers, from state 1337.
  @Test func generatorIsTheOriginals() {
    var generator = XorshiftGenerator()
    let draws: [UInt32] = [989_205_090, 818_269_915, 1_335_155_955, 3_876_892_996]
    #expect(draws.map { _ in generator.nextUInt32() } == draws)
    generator = XorshiftGenerator()
    let floats: [Float] = [3_864_082, 3_196_366, 5_215_452, 15_144_113]
    #expect(floats.map { _ in generator.nextFloat() * 0x1p24 } == floats)
    generator = XorshiftGenerator()
    let upper = UInt64(generator.nextUInt32())
    let lower = UInt64(generator.nextUInt32())
    generator = XorshiftGenerator()
    #expect(generator.next() == upper << 32 | lower)
  }

  @Test func seedZeroIsNotStuck() {
    var generator = XorshiftGenerator(seed: 0)
    #expect(generator.state != 0)
    #expect(Set((0..<100).map { _ in generator.nextUInt32() }).count == 100)
  }

  @Test func floatsFillTheUnitInterval() {
    var generator = XorshiftGenerator(seed: 3)
    let floats = (0..<10_000).map { _ in generator.nextFloat() }
    #expect(floats.allSatisfy { $0 >= 0 && $0 < 1 })
    // The mean of n uniform numbers has the deviation 1 / √(12 n) = 0.0029; five of them.
    #expect(abs(floats.reduce(0, +) / 10_000 - 0.5) < 0.0145)
  }
}
