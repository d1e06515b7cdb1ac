import Machine

/// Where the sixteen tensors lie in memory: embeddings, then each layer's twelve side by side, then the last norm.
///
/// So a layer is one range of parameters, of gradients and of each of the optimizer's slots. Every tensor begins on a
/// cache line; what lies between two stays zero.
struct ParameterLayout: Sendable {
  private static let beforeLayers: [Parameter] = [.wte, .wpe]
  private static let afterLayers: [Parameter] = [.lnfw, .lnfb]

  /// Of each tensor; of layer 0's where each has one.
  private let offsets: [Int]
  private let firstLayer: Int
  /// Floats from one layer to the next.
  private let layerStride: Int
  let count: Int

  /// - Precondition: `configuration` was checked: nothing overflows.
  init(_ configuration: Configuration) {
    var offsets = [Int](repeating: 0, count: Parameter.allCases.count)
    var end = 0
    func place(_ parameters: [Parameter]) {
      for parameter in parameters {
        offsets[parameter.index] = end
        let count = parameter.layerShape(configuration).reduce(1, *)
        end += (count + Arena.lineFloats - 1) / Arena.lineFloats * Arena.lineFloats
      }
    }
    place(Self.beforeLayers)
    firstLayer = end
    place(Parameter.layered)
    layerStride = end - firstLayer
    end = firstLayer + configuration.layers * layerStride
    place(Self.afterLayers)
    self.offsets = offsets
    count = end
  }

  /// Where a part begins.
  func offset(_ part: ParameterPart) -> Int {
    offsets[part.parameter.index] + (part.layer ?? 0) * layerStride
  }

  /// All of a layer.
  func layer(_ layer: Int) -> Range<Int> {
    firstLayer + layer * layerStride..<firstLayer + (layer + 1) * layerStride
  }

  /// The floats that a model of these sizes takes at the most; nil where that, or its bytes four times over, exceeds
  /// `Int`.
  static func checkedCount(_ shapes: [[Int]]) -> Int? {
    var total = 0
    for shape in shapes {
      guard let count = Arena.Entry(name: "", shape: shape).elementCount, count <= Int.max / 64 - total else {
        return nil
      }
      total += count
    }
    return total
  }
}

extension Parameter {
  /// Its place in llm.c's order.
  var index: Int { Self.indices[self]! }

  private static let indices = Dictionary(uniqueKeysWithValues: zip(allCases, 0...))
}
