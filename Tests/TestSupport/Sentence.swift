/// The sentence of the error that `body` throws; nil where it throws none.
public func sentence(_ body: () throws -> Void) -> String? {
  do {
    try body()
    return nil
  } catch {
    return "\(error)"
  }
}
