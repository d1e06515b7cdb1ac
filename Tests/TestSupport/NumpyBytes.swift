/// NumPy's `.npy`, made byte by byte.
public enum NumpyBytes {
  /// A file of `numbers` behind the header that NumPy writes.
  ///
  /// - Parameter shape: that of one row unless told.
  public static func file<Integer: FixedWidthInteger>(
    _ numbers: [Integer], type: String, version: Int = 1, order: String = "False", shape: String? = nil
  ) -> [UInt8] {
    let text = "{'descr': '\(type)', 'fortran_order': \(order), 'shape': \(shape ?? "(\(numbers.count),)"), }"
    return file(text: text, version: version) + littleEndian(numbers)
  }

  /// The header with this text, filled up to a multiple of 64 bytes.
  public static func file(text: String, version: Int = 1) -> [UInt8] {
    let start = version == 1 ? 10 : 12
    let spaces = (64 - (start + text.utf8.count + 1) % 64) % 64
    let header = Array(text.utf8) + [UInt8](repeating: 0x20, count: spaces) + [0x0A]
    let length = version == 1 ? littleEndian([UInt16(header.count)]) : littleEndian([UInt32(header.count)])
    return [0x93] + Array("NUMPY".utf8) + [UInt8(version), 0] + length + header
  }

  public static func littleEndian<Integer: FixedWidthInteger>(_ numbers: [Integer]) -> [UInt8] {
    numbers.flatMap { number in
      (0..<Integer.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
  }
}
