import Machine

/// The entries of a zip archive that are stored and not compressed, as `torch.save` makes them.
///
///     entries, each behind a local header; the central directory; its end, before that zip64's where sizes need it
///
/// - SeeAlso: PKWARE, APPNOTE.TXT, 4.3 and 4.5.3.
struct ZipArchive {
  struct Entry {
    let compression: Int
    let byteCount: Int
    let headerOffset: Int
  }

  let file: MappedFile
  private(set) var entries: [String: Entry] = [:]

  /// Reads the central directory.
  ///
  /// - Throws: `FormatError`: what lies outside the file, is encrypted, or has the name of another entry.
  init(_ file: MappedFile) throws(FormatError) {
    self.file = file
    var position: Int
    let end: Int
    (position, end) = try directory()
    while position < end {
      guard let signature = integer(UInt32.self, position), signature == 0x0201_4B50,
        let nameLength = integer(UInt16.self, position + 28),
        let extraLength = integer(UInt16.self, position + 30),
        let commentLength = integer(UInt16.self, position + 32),
        position + 46 + nameLength + extraLength + commentLength <= end
      else {
        throw mismatch("the zip archive's directory", expected: "entries up to its end", found: "cut off")
      }
      let name = text(position + 46, count: nameLength)
      let entry = try entry(
        at: position, name: name, extra: position + 46 + nameLength..<position + 46 + nameLength + extraLength
      )
      guard entries.updateValue(entry, forKey: name) == nil else {
        throw mismatch("the entry \(name.shortened)", expected: "there once", found: "there twice")
      }
      position += 46 + nameLength + extraLength + commentLength
    }
  }

  /// Where an entry's bytes lie in the file.
  ///
  /// - Throws: `FormatError` where there is none of the name, or it is compressed.
  func bytes(of name: String) throws(FormatError) -> Range<Int> {
    guard let entry = entries[name] else {
      throw mismatch("the entry \(name.shortened)", expected: "in the zip archive", found: "missing")
    }
    guard entry.compression == 0 else {
      let method = entry.compression == 8 ? "deflate" : "method \(entry.compression)"
      throw mismatch(
        "the entry \(name.shortened)", expected: "stored, as torch.save does",
        found: "compressed by \(method): unpack the archive and pack it with 'zip -0'")
    }
    let offset = entry.headerOffset
    guard integer(UInt32.self, offset) == 0x0403_4B50, let nameLength = integer(UInt16.self, offset + 26),
      let extraLength = integer(UInt16.self, offset + 28),
      entry.byteCount <= file.byteCount - min(file.byteCount, offset + 30 + nameLength + extraLength)
    else {
      throw mismatch(
        "the entry \(name.shortened)", expected: "within the file", found: "cut off or overwritten")
    }
    let start = offset + 30 + nameLength + extraLength
    return start..<start + entry.byteCount
  }

  /// Where the central directory lies: the last record of the file tells.
  private func directory() throws(FormatError) -> (start: Int, end: Int) {
    let earliest = max(0, file.byteCount - 22 - 0xFFFF)
    guard file.byteCount >= 22,
      let record = (earliest...file.byteCount - 22).last(where: { isEnd($0) }),
      var size = integer(UInt32.self, record + 12), var start = integer(UInt32.self, record + 16)
    else {
      throw mismatch(
        "the zip archive", expected: "whole", found: "without the directory at its end, truncated")
    }
    var limit = record
    if integer(UInt32.self, record - 20) == 0x0706_4B50, let wide = integer(UInt64.self, record - 12),
      integer(UInt32.self, wide) == 0x0606_4B50, let wideSize = integer(UInt64.self, wide + 40),
      let wideStart = integer(UInt64.self, wide + 48)
    {
      (size, start, limit) = (wideSize, wideStart, wide)
    }
    guard start <= limit, size <= limit - start else {
      throw mismatch(
        "the zip archive's directory", expected: "before its end at byte \(limit)",
        found: "\(size) bytes from byte \(start) on")
    }
    return (start, start + size)
  }

  private func isEnd(_ position: Int) -> Bool {
    guard integer(UInt32.self, position) == 0x0605_4B50, let comment = integer(UInt16.self, position + 20)
    else {
      return false
    }
    return position + 22 + comment == file.byteCount
  }

  private func entry(at position: Int, name: String, extra: Range<Int>) throws(FormatError) -> Entry {
    guard let flags = integer(UInt16.self, position + 8), flags & 1 == 0,
      let compression = integer(UInt16.self, position + 10), let size = integer(UInt32.self, position + 24),
      let packedSize = integer(UInt32.self, position + 20), let offset = integer(UInt32.self, position + 42)
    else { throw mismatch("the entry \(name.shortened)", expected: "readable", found: "encrypted") }
    // Fields that do not fit 32 bits are all ones and follow in the extra field, in this order.
    var wide = wideFields(extra)[...]
    var values = [size, packedSize, offset]
    for index in values.indices where values[index] == 0xFFFF_FFFF {
      guard let value = wide.popFirst() else {
        throw mismatch("the entry \(name.shortened)", expected: "sizes of 64 bits", found: "none")
      }
      values[index] = value
    }
    guard compression != 0 || values[0] == values[1] else {
      throw mismatch("the entry \(name.shortened)", expected: "of one size", found: "of two, though stored")
    }
    return Entry(compression: compression, byteCount: values[0], headerOffset: values[2])
  }

  /// The 64-bit numbers of the extra field's part 1.
  private func wideFields(_ extra: Range<Int>) -> [Int] {
    var position = extra.lowerBound
    while let kind = integer(UInt16.self, position), let count = integer(UInt16.self, position + 2),
      position + 4 + count <= extra.upperBound
    {
      if kind == 1 {
        return stride(from: position + 4, to: position + 4 + count - 7, by: 8).map {
          integer(UInt64.self, $0) ?? .max
        }
      }
      position += 4 + count
    }
    return []
  }

  /// nil where it is not in the file, or is larger than an `Int`.
  private func integer<Integer: FixedWidthInteger & BitwiseCopyable>(_ type: Integer.Type, _ offset: Int)
    -> Int?
  {
    guard offset >= 0, offset <= file.byteCount - MemoryLayout<Integer>.size else { return nil }
    return Int(exactly: file.read(type, at: offset))
  }

  private func text(_ offset: Int, count: Int) -> String {
    file.withIntegers(UInt8.self, at: offset, count: count) { bytes in
      String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
    }
  }

  private func mismatch(_ field: String, expected: String, found: String) -> FormatError {
    .mismatch(path: file.path, field: field, expected: expected, found: found)
  }
}
