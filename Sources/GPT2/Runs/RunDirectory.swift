import Machine

/// What lies where in a run directory.
enum RunDirectory {
  static let lockName = "lock"
  private static let prefix = "step-"

  static func name(ofStep step: Int) -> String {
    let digits = "\(step)"
    return prefix + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }

  /// The step that a directory of this name holds; nil for other names.
  static func number(of name: String) -> Int? {
    guard name.hasPrefix(prefix), let step = Int(name.dropFirst(prefix.count)), step >= 0,
      Self.name(ofStep: step) == name
    else { return nil }
    return step
  }

  /// The steps that are there, whole or not, ascending.
  static func steps(in path: String) throws(FileError) -> [Int] {
    try Directory.names(in: path).compactMap(number).sorted()
  }

  /// Whether there is a step, or the lock of a run with nothing beside it but logs and temporaries.
  static func isRun(_ path: String) throws(FileError) -> Bool {
    let names = try Directory.names(in: path)
    return names.contains { number(of: $0) != nil }
      || names.contains(lockName)
        && names.allSatisfy { $0 == lockName || $0.hasSuffix(".jsonl") || AtomicDirectory.isTemporary($0) }
  }

  /// The newest whole step, and what is wrong with those that are newer.
  ///
  /// - Throws: `RunError.damaged` where there are steps and none is whole.
  static func newest(in path: String) throws(RunError) -> (step: RunStep?, damages: [FormatError]) {
    let steps: [Int]
    do { steps = try Self.steps(in: path) } catch { throw RunError(error) }
    var damages: [FormatError] = []
    for step in steps.reversed() {
      do { return (try RunStep(path: path + "/" + name(ofStep: step)), damages) } catch {
        damages.append(error)
      }
    }
    guard damages.isEmpty else { throw .damaged(path: path, damages: damages) }
    return (nil, [])
  }

  /// Under another name first, so that half of a step is never taken for one.
  static func remove(_ path: String) throws(FileError) {
    guard Directory.exists(at: path) else { return }
    let temporary = AtomicDirectory.temporaryName(of: path)
    try Directory.rename(path, to: temporary)
    try Directory.removeTree(at: temporary)
  }

  /// Where the model lies: the newest whole step's in a run directory, or a step's; else in `path` itself.
  static func model(in path: String) throws(FormatError) -> (path: String, damages: [FormatError]) {
    let names = try writing { () throws(FileError) in try Directory.names(in: path) }
    if names.contains(HuggingFaceConfiguration.fileName) { return (path, []) }
    if names.contains(RunManifest.fileName) { return (try RunStep(path: path).modelPath, []) }
    guard names.contains(where: { number(of: $0) != nil }) else { return (path, []) }
    do {
      let found = try newest(in: path)
      return (found.step?.modelPath ?? path, found.damages)
    } catch {
      switch error {
      case .format(let error): throw error
      case .damaged(let path, let damages): throw .invalid(path: path, reason: RunError.reason(damages))
      default: throw .invalid(path: path, reason: "\(error)")
      }
    }
  }
}
