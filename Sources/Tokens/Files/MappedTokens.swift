import Machine

/// Token ids in a mapped file, whatever their type, one behind another.
struct MappedTokens: Sendable {
  let type: TokenType
  let count: Int
  private let file: MappedFile
  /// Where the first of them is; a multiple of their size.
  private let offset: Int

  /// - Precondition: the file has as many.
  init(_ file: MappedFile, type: TokenType, offset: Int, count: Int) {
    self.file = file
    self.type = type
    self.offset = offset
    self.count = count
  }

  /// The number at `position`; of those that `Int` does not hold the nearest.
  func number(at position: Int) -> Int {
    let offset = offset + type.size * position
    return switch type {
    case .uint8: Int(file.read(UInt8.self, at: offset))
    case .int8: Int(file.read(Int8.self, at: offset))
    case .uint16: Int(file.read(UInt16.self, at: offset))
    case .int16: Int(file.read(Int16.self, at: offset))
    case .uint32: Int(file.read(UInt32.self, at: offset))
    case .int32: Int(file.read(Int32.self, at: offset))
    case .uint64: Int(clamping: file.read(UInt64.self, at: offset))
    case .int64: Int(file.read(Int64.self, at: offset))
    }
  }

  /// Copies those at `positions`; of those that Int32 does not hold the nearest, which are ids of no vocabulary either.
  func tokens(in positions: Range<Int>) -> [Int32] {
    switch type {
    case .uint8: copy(UInt8.self, positions)
    case .int8: copy(Int8.self, positions)
    case .uint16: copy(UInt16.self, positions)
    case .int16: copy(Int16.self, positions)
    case .uint32: copy(UInt32.self, positions)
    case .int32: copy(Int32.self, positions)
    case .uint64: copy(UInt64.self, positions)
    case .int64: copy(Int64.self, positions)
    }
  }

  /// - Throws: `FileError.changed` where the file has shrunk.
  func checkSize() throws(FileError) { try file.checkSize() }

  /// Where the first number is that is not in 0..<vocabularySize.
  func firstPosition(outside vocabularySize: Int) -> Int? {
    switch type {
    case .uint8: search(UInt8.self, vocabularySize)
    case .int8: search(Int8.self, vocabularySize)
    case .uint16: search(UInt16.self, vocabularySize)
    case .int16: search(Int16.self, vocabularySize)
    case .uint32: search(UInt32.self, vocabularySize)
    case .int32: search(Int32.self, vocabularySize)
    case .uint64: search(UInt64.self, vocabularySize)
    case .int64: search(Int64.self, vocabularySize)
    }
  }

  // The switches above and not a generic type behind a protocol: these are specialized for each type.

  private func copy<Integer: FixedWidthInteger & BitwiseCopyable>(
    _: Integer.Type, _ positions: Range<Int>
  ) -> [Int32] {
    let start = offset + type.size * positions.lowerBound
    return file.withIntegers(Integer.self, at: start, count: positions.count) { numbers in
      numbers.indices.map { Int32(clamping: numbers[$0]) }
    }
  }

  private func search<Integer: FixedWidthInteger & BitwiseCopyable>(
    _: Integer.Type, _ vocabularySize: Int
  ) -> Int? {
    file.withIntegers(Integer.self, at: offset, count: count) { numbers in
      numbers.indices.first { numbers[$0] < 0 || numbers[$0] >= vocabularySize }
    }
  }
}
