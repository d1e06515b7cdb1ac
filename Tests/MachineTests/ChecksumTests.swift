import Machine
import TestSupport
import Testing

@Suite struct ChecksumTests {
  private func checksum(_ bytes: [UInt8]) throws -> UInt64 {
    let directory = try ScratchDirectory()
    return Checksum.of(try MappedFile(path: try directory.write(bytes)))
  }

  /// Known values of XXH64 with seed 0, by the reference program.
  @Test func knownValues() throws {
    #expect(try checksum([]) == 0xEF46_DB37_51D8_E999)
    #expect(try checksum(Array("a".utf8)) == 0xD24E_C4F1_A98C_6E5B)
    #expect(try checksum(Array("abc".utf8)) == 0x44BC_2CF5_AD77_0999)
    #expect(
      try checksum(Array("Nobody inspects the spammish repetition".utf8)) == 0xFBCE_A83C_8A37_8BF1)
  }

  /// RFC 3720, appendix B.4, and the value of "123456789" by which CRCs are catalogued.
  @Test func knownRemainders() {
    #expect(CyclicRedundancyCheck.of([]) == 0)
    #expect(CyclicRedundancyCheck.of(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CyclicRedundancyCheck.of([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CyclicRedundancyCheck.of([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CyclicRedundancyCheck.of((0..<32).map { UInt8($0) }) == 0x46DD_794E)
    #expect(CyclicRedundancyCheck.of((0..<32).reversed().map { UInt8($0) }) == 0x113F_DB5C)
  }

  /// Every length takes each byte in: one bit of any makes another checksum.
  @Test func everyBitCounts() throws {
    for count in [1, 3, 4, 7, 8, 12, 31, 32, 33, 45, 64, 71] {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37 + 11) }
      var seen: Set<UInt64> = [try checksum(bytes)]
      for bit in 0..<8 * count {
        var other = bytes
        other[bit / 8] ^= 1 << (bit % 8)
        seen.insert(try checksum(other))
      }
      #expect(seen.count == 8 * count + 1, "\(count) bytes")
    }
  }
}
