import Machine

/// Runs `body`, of a command that has `--overwrite`: where it refuses what exists, the sentence names the option.
package func namingOverwrite<Result>(_ body: () throws -> Result) throws -> Result {
  do { return try body() } catch {
    switch error {
    case FileError.exists(let path), FormatError.file(.exists(let path)): throw ExistsError(path: path)
    default: throw error
    }
  }
}

private struct ExistsError: Error, CustomStringConvertible {
  let path: String
  var description: String { "\(path) exists already: --overwrite replaces it." }
}
