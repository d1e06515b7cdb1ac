import Machine
import Tokens

/// Why a run cannot be saved or resumed: one sentence.
public enum RunError: Error, CustomStringConvertible {
  case format(FormatError)
  /// Another process writes to the run directory.
  case inUse(path: String, process: Int?)
  /// A run was saved there, and going on with it was not asked for.
  case exists(path: String, step: Int)
  /// None of the kept steps is whole.
  case damaged(path: String, damages: [FormatError])
  /// An option that decides the bits of a run is another than that of the saved one.
  case contradiction(path: String, option: String, saved: String, found: String)
  /// The data have no such place.
  case data(DataError)
  case model(ModelError)

  public var description: String {
    switch self {
    case .format(let error): error.description
    case .inUse(let path, let process):
      "\(path): the run directory should be written by one process, but "
        + (process.map { "process \($0) writes to it" } ?? "another process writes to it") + "."
    case .exists(let path, let step):
      "\(path): the run directory should be new, but holds a run at step \(step): --resume goes on with it; else name another."
    case .damaged(let path, let damages):
      FormatError.invalid(path: path, reason: Self.reason(damages)).description
    case .contradiction(let path, let option, let saved, let found):
      "\(path): \(option) should stay \(saved), with which the run was saved, but is \(found): leave it as it was."
    case .data(let error): error.description
    case .model(let error): error.description
    }
  }

  /// Why none of the kept steps is whole, for a sentence that begins with the directory.
  static func reason(_ damages: [FormatError]) -> String {
    "one of the kept steps should be whole, but none is: "
      + damages.map { $0.description.prefix { $0 != "\n" } }.map { $0.hasSuffix(".") ? $0.dropLast() : $0 }
      .joined(separator: "; ") + "."
  }

  init(_ error: FileError) { self = .format(.file(error)) }
}
