extension MappedFile {
  /// `count` float64 from `byteOffset` on, at any alignment, as the bytes of as many float32: each rounded to nearest
  /// even.
  ///
  /// - Precondition: they lie within the file.
  public func withRoundedDoubles<Result>(at byteOffset: Int, count: Int, _ body: (RawSpan) -> Result)
    -> Result
  {
    let numbers = (0..<count).map { Float(Double(bitPattern: read(UInt64.self, at: byteOffset + 8 * $0))) }
    return body(unsafe numbers.span.bytes)
  }
}
