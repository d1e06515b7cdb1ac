import Machine
import Terminal
import Tokens

extension Inspect {
  func describe(_ file: TokenFile) throws { describe(file, ids: IDRange(file)) }

  private func describe(_ file: TokenFile, ids: IDRange?) {
    var lines = [("file", path), ("kind", TokenFileText.kind(file)), ("tokens", "\(file.count)")]
    if let ids { lines.append(("ids", ids.text)) }
    let first = file.tokens(in: 0..<min(16, file.count)).map(String.init).joined(separator: " ")
    if !first.isEmpty { lines.append(("first", first)) }
    Console.printFields(lines + ManifestText.lines(of: [file], areAll: false))
  }

  /// Ids that no vocabulary reaches mean that a file without a header is something else. Of 16 bits almost all numbers
  /// are ids of some vocabulary; GPT-2's, padded, is the largest common one.
  private static func unlikelyID(_ type: TokenType) -> Int { type == .uint16 ? 50_304 : 1 << 24 }

  func describeRaw() throws {
    let file = try TokenFile.isPlausible(path: path) ? TokenFile(path: path) : nil
    guard let file, let ids = IDRange(file), ids.least >= 0, ids.largest < Self.unlikelyID(file.type) else {
      let byteCount = try MappedFile(path: path).byteCount
      let found =
        byteCount == 0
        ? "an empty file"
        : "\(NumberText.count(byteCount, "byte")) of something else (--token-type TYPE shows it as ids)"
      throw InspectionError(
        description:
          "\(path): expected one of llm.c's magic numbers at its start, safetensors, a manifest, a vocab.json, or int32 or uint16 token ids, found \(found)."
      )
    }
    describe(file, ids: ids)
  }
}

private struct InspectionError: Error, CustomStringConvertible { let description: String }

/// The smallest and the largest id of a file: of all of them, or of some where all would take long.
private struct IDRange {
  private(set) var least = Int.max
  private(set) var largest = Int.min
  private let seen, count: Int

  /// Less than a second's worth.
  private static let most = 1 << 24
  /// Few: the system reads megabytes ahead of each.
  private static let samples = 1 << 8

  /// nil where there is none.
  init?(_ file: TokenFile) {
    guard file.count > 0 else { return nil }
    count = file.count
    let isWhole = count <= Self.most
    let length = isWhole ? count : Self.most / Self.samples
    seen = isWhole ? count : Self.most
    for sample in 0..<(isWhole ? 1 : Self.samples) {
      // The first one is at the beginning, the last one at the end.
      let start = isWhole ? 0 : (count - length) * sample / (Self.samples - 1)
      for position in start..<start + length {
        let number = file.number(at: position)
        (least, largest) = (min(least, number), max(largest, number))
      }
    }
  }

  var text: String {
    "\(least) to \(largest)" + (seen < count ? ", of \(seen) of them that were looked at" : "")
  }
}

/// How token files compare with the manifest beside them, as training compares them.
enum ManifestText {
  /// None where there is no manifest.
  ///
  /// - Parameter areAll: whether they are meant to be all the files of their data set.
  static func lines(of files: [TokenFile], areAll: Bool) -> [(String, String)] {
    let paths = files.compactMap { DataSet.manifestPath(ofTokenFile: $0.path) }
    guard paths.contains(where: { FileStatus.kind(at: $0) != nil }) else { return [] }
    return [line { try DataManifest.check(files, areAll: areAll) }]
  }

  static func line(of manifest: DataManifest) -> (String, String) {
    line {
      let paths = manifest.tokenFilePaths.filter { FileStatus.kind(at: $0) != nil }
      try manifest.check(try paths.map { try TokenFile(path: $0) }, areAll: true)
    }
  }

  private static func line(_ check: () throws -> Void) -> (String, String) {
    do {
      try check()
      return ("compared", "manifest and files agree")
    } catch { return ("compared", "\(error)") }
  }
}
