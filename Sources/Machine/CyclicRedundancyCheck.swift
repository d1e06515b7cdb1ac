/// CRC-32C: the remainder of the bytes as a polynomial, by Castagnoli's 0x1EDC6F41, bits reflected.
///
/// - SeeAlso: RFC 3720, appendix B.4, whose examples `ChecksumTests` has.
public enum CyclicRedundancyCheck {
  /// What a byte does to the remainder.
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { remainder, _ in
      remainder & 1 == 0 ? remainder >> 1 : remainder >> 1 ^ 0x82F6_3B78
    }
  }

  /// The check of the bytes; of none it is 0.
  ///
  /// - Complexity: a step a byte.
  public static func of(_ bytes: some Sequence<UInt8>) -> UInt32 {
    let table = table
    return ~bytes.reduce(~UInt32(0)) { remainder, byte in
      remainder >> 8 ^ table[Int((remainder ^ UInt32(byte)) & 0xFF)]
    }
  }
}
