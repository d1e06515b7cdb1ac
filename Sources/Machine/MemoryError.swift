/// Why memory could not be had: one sentence.
public enum MemoryError: Error, Equatable, Sendable {
  /// More bytes than the machine, or the control group the process runs in, has left; nothing was mapped.
  case exceedsMemory(requested: Int, available: Int, what: String)
  case mappingFailed(byteCount: Int, errno: Int32)
  case placementFailed(placement: Placement, errno: Int32)
  /// A negative dimension, or more elements than an address can count.
  case invalidShape(name: String, shape: [Int])
}

extension MemoryError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .exceedsMemory(let requested, let available, let what):
      "\(what): \(byteText(requested)) of memory needed, but only \(byteText(available)) available."
    case .mappingFailed(let byteCount, let errno):
      "The system does not map \(byteText(byteCount)) of memory: \(systemErrorText(errno))."
    case .placementFailed(let placement, let errno):
      "The system does not place memory by the NUMA policy \"\(placement.rawValue)\": \(systemErrorText(errno))."
    case .invalidShape(let name, let shape):
      "Tensor \(name) cannot have shape \(shape): expected dimensions from 0 up and a size in bytes that fits Int."
    }
  }
}

/// A byte count as people read it, followed by the exact number from 1 KiB on: "1.5 GiB (1610612736 bytes)".
func byteText(_ byteCount: Int) -> String {
  guard byteCount >= 1024 else { return "\(byteCount) bytes" }
  return "\(shortByteText(byteCount)) (\(byteCount) bytes)"
}

/// A byte count with one decimal and a binary unit: "1.5 GiB", "32 KiB".
func shortByteText(_ byteCount: Int) -> String {
  var value = Double(byteCount)
  var unit = "bytes"
  for larger in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] where value >= 1024 {
    value /= 1024
    unit = larger
  }
  let tenths = (value * 10).rounded()
  let whole = Int(tenths / 10)
  let fraction = Int(tenths) % 10
  return fraction == 0 ? "\(whole) \(unit)" : "\(whole).\(fraction) \(unit)"
}
