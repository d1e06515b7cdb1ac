/// The instruction sets that the kernels are built for, slowest first: each is one whole table of kernels.
///
/// Matrix units stand beside them (`MatrixUnit`).
public enum InstructionSet: String, CaseIterable, Sendable, Comparable {
  /// Plain C vectors: any processor.
  case portable
  /// AVX2 and FMA: x86 since Haswell (2013) and Zen (2017).
  case avx2
  /// AVX-512 F, DQ, BW and VL: x86 servers since Skylake-SP (2017) and Zen 4 (2022).
  case avx512

  /// The environment variable that forces an instruction set.
  public static let environmentVariable = "GPT2_ISA"

  /// Those that this processor has and this operating system saves the registers of.
  public static var available: [InstructionSet] { available(with: .current) }

  /// The fastest available one.
  public static var best: InstructionSet { available.last ?? .portable }

  /// Reads a name as given on the command line or in the environment; `auto` is the best one.
  ///
  /// - Throws: `InstructionSetError` when the name is unknown, or the machine lacks what it names.
  public init(named name: String) throws(InstructionSetError) {
    if name == "auto" {
      self = .best
      return
    }
    guard let set = InstructionSet(rawValue: name) else { throw .unknown(name) }
    guard Kernels(for: set) != nil else { throw .unavailable(set) }
    self = set
  }

  public static func < (left: InstructionSet, right: InstructionSet) -> Bool {
    left.priority < right.priority
  }
}

extension InstructionSet: ProcessorUnit {
  package var requiredFeatures: ProcessorFeatures {
    switch self {
    case .portable: []
    case .avx2: [.avx2, .fma]
    case .avx512: [.avx2, .fma, .avx512F, .avx512DQ, .avx512BW, .avx512VL]
    }
  }

  package var priority: Int {
    switch self {
    case .portable: 0
    case .avx2: 1
    case .avx512: 2
    }
  }
}

public enum InstructionSetError: Error, CustomStringConvertible, Equatable {
  case unknown(String)
  case unavailable(InstructionSet)

  public var description: String {
    let names = InstructionSet.available.map(\.rawValue).joined(separator: ", ")
    return switch self {
    case .unknown(let name):
      "unknown instruction set '\(name)': this machine has auto, \(names)"
    case .unavailable(let set):
      "the instruction set \(set.rawValue) is not supported by this processor or operating system: it has \(names)"
    }
  }
}
