import Machine
import Operators

extension Network {
  /// Draws the parameters as GPT-2 does: weights and embeddings N(0, 0.02²), the projections onto the residual stream
  /// scaled by 1/√(2L), biases 0, layer norms 1 and 0.
  ///
  /// - Parameter seed: the same seed gives the same bits, whatever the number of threads, the instruction set and the
  ///   machine.
  /// - SeeAlso: Radford et al. 2019, section 2.3.
  public func initialize(seed: UInt64 = 1337) {
    for parameter in Parameter.allCases {
      let key = SplitMix64.mixed(seed) &+ UInt64(parameter.index) << 48
      switch parameter.initialValue {
      case .zero: parameters[parameter].fill(0)
      case .one: parameters[parameter].fill(1)
      case .normal: fill(parameter, deviation: 0.02, key: key)
      case .residualNormal:
        fill(parameter, deviation: 0.02 / Double(2 * configuration.layers).squareRoot(), key: key)
      }
    }
  }

  /// N(0, deviation²), in blocks that each have a generator of their own, so that threads do not matter; rows that pad
  /// the vocabulary stay as they are.
  private func fill(_ parameter: Parameter, deviation: Double, key: UInt64) {
    let tensor = parameters[parameter]
    let count = parameter == .wte ? configuration.vocabularySize * configuration.channels : tensor.count
    let size = 4096
    context.parallel.forEach((count + size - 1) / size) { block, _ in
      var generator = SplitMix64(state: SplitMix64.mixed(key &+ UInt64(block)))
      var values = [Float](repeating: 0, count: min(count, (block + 1) * size) - block * size)
      for index in stride(from: 0, to: values.count, by: 2) {
        let (first, second) = generator.normals()
        values[index] = Float(first * deviation)
        if index + 1 < values.count { values[index + 1] = Float(second * deviation) }
      }
      tensor.copy(from: values, at: block * size)
    }
  }
}

extension Model {
  /// Draws the parameters: `Network.initialize`.
  public func initialize(seed: UInt64 = 1337) { network.initialize(seed: seed) }
}

/// SplitMix64 (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195): streams that may start anywhere.
private struct SplitMix64 {
  var state: UInt64

  static func mixed(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Uniform in (0, 1]: its logarithm is finite.
  private mutating func unit() -> Double {
    defer { state &+= 0x9E37_79B9_7F4A_7C15 }
    return (Double(Self.mixed(state) >> 11) + 1) / 0x1p53
  }

  /// Two independent standard normals (Box, Muller 1958, doi:10.1214/aoms/1177706645).
  mutating func normals() -> (Double, Double) {
    let radius = (-2 * ElementaryFunctions.log(unit())).squareRoot()
    let angle = 2 * Double.pi * unit()
    return (radius * ElementaryFunctions.cos(angle), radius * ElementaryFunctions.sin(angle))
  }
}
