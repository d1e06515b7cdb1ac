import Foundation
import Operators
import TestSupport
import Testing

/// The kernels' own exp against the C library's in double, whose error is below 2⁻⁵² of the result.
@Suite struct ExponentialTests {
  /// Both a sweep in equal steps, which is dense where the result varies, and one over bit patterns, which covers
  /// every binade of the argument.
  static let sweep: [Float] = {
    let even = stride(from: -104.0, through: 89, by: 193.0 / 1_000_000).map { Float($0) }
    let patterns = stride(from: UInt32(0), to: Float(104).bitPattern, by: 4999)
      .flatMap { [Float(bitPattern: $0), -Float(bitPattern: $0)] }
    return even + patterns.filter { $0 <= 89 }
  }()

  /// What templates/exponential.h states. From where the next float would be infinite on, infinity.
  @Test func accuracy() throws {
    let x = Self.sweep
    for (set, outputs) in try everywhere({ try exponential(x, $0) }) {
      let y = try #require(outputs["y"])
      var (normal, denormal) = ((ulp: 0.0, x: Float(0)), (ulp: 0.0, x: Float(0)))
      for (x, y) in zip(x, y) {
        let exact = exp(Double(x))
        if !y.isFinite || !Float(exact).isFinite {
          #expect(y == .infinity && exact > Double(Float.greatestFiniteMagnitude), "exp(\(x)) on \(set)")
        } else if exact >= Double(Float.leastNormalMagnitude) {
          let ulp = abs(Double(y) - exact) / unitInTheLastPlace(exact)
          if !(ulp <= normal.ulp) { normal = (ulp, x) }
        } else {
          let ulp = abs(Double(y) - exact) / Double(Float.leastNonzeroMagnitude)
          if !(ulp <= denormal.ulp) { denormal = (ulp, x) }
        }
      }
      #expect(normal.ulp <= exponentialUlp.normal, "at \(normal.x) on \(set)")
      #expect(denormal.ulp <= exponentialUlp.denormal, "at \(denormal.x) on \(set)")
    }
  }

  /// The same of 2ˣ, whose results go from the smallest normal floats straight to 0.
  @Test func powerOfTwo() throws {
    let x = Self.sweep.filter { $0 >= -126 && $0 <= 127 } + [-126.51, -127, -1e30, -.infinity, 0, -0.0, 127]
    for (set, outputs) in try everywhere({ try powerOfTwo(x, $0) }) {
      var worst = (ulp: 0.0, x: Float(0))
      for (x, y) in zip(x, try #require(outputs["y"])) {
        let exact = x >= -126.5 ? exp2(Double(x)) : 0
        if exact == 0 {
          #expect(y == 0, "2^\(x) on \(set)")
          continue
        }
        let ulp = abs(Double(y) - exact) / unitInTheLastPlace(exact)
        if !(ulp <= worst.ulp) { worst = (ulp, x) }
      }
      #expect(worst.ulp <= powerUlp, "at \(worst.x) on \(set)")
    }
    for set in InstructionSet.available {
      let place = Place(try ExecutionContext(threads: 1, instructionSet: set), edge: .end)
      defer { place.giveBack() }
      let y = try powerOfTwo([.nan, -.nan, 1], place)["y"]
      #expect(y?.map(\.isNaN) == [true, true, false], "on \(set)")
    }
  }

  @Test func specialValues() throws {
    let cases: [(x: Float, y: Float)] = [
      (0, 1), (-0.0, 1), (-.infinity, 0), (.infinity, .infinity), (89, .infinity), (1e30, .infinity),
      (Float.greatestFiniteMagnitude, .infinity), (-104, 0), (-1e30, 0), (-Float.greatestFiniteMagnitude, 0),
      (.leastNonzeroMagnitude, 1), (-.leastNonzeroMagnitude, 1),
      // 103.2789 = 149·ln 2: the smallest denormal, and its double and quadruple.
      (-103.27893, 0x1p-149), (-102.58578, 0x1p-148), (-101.892636, 0x1p-147),
    ]
    for (set, outputs) in try everywhere({ try exponential(cases.map(\.x), $0) }) {
      expect(outputs["y"], equals: cases.map(\.y), "on \(set)")
    }
    // A payload may differ between instruction sets, so this is no matter of bits.
    for set in InstructionSet.available {
      let place = Place(try ExecutionContext(threads: 1, instructionSet: set), edge: .end)
      defer { place.giveBack() }
      let y = try exponential([.nan, -.nan, 1, .nan], place)["y"]
      #expect(y?.map(\.isNaN) == [true, true, false, true], "on \(set)")
    }
  }

  /// Tails of every length, in place of a whole vector.
  @Test(arguments: 1...34) func raggedCounts(_ count: Int) throws {
    let x = (0..<count).map { Float($0) / 2 - 9 }
    let whole = x + [Float](repeating: 0, count: 48 - count)
    let expected = try everywhere { try exponential(whole, $0) }.map { $0.outputs["y"]?.prefix(count) }
    let results = try everywhere { try exponential(x, $0) }
    for (result, expected) in zip(results, expected) {
      expect(result.outputs["y"], equals: Array(expected ?? []), "on \(result.set)")
    }
  }

  /// Of a float in the binade of `exact`.
  private func unitInTheLastPlace(_ exact: Double) -> Double { exact.binade * Double(Float.ulpOfOne) }

  private func powerOfTwo(_ x: [Float], _ place: Place) throws -> Outputs {
    let y = try place.output(x.count)
    place.context.kernels.powerOfTwo(try place.input(x), y: y)
    return ["y": y.array()]
  }

  private func exponential(_ x: [Float], _ place: Place) throws -> Outputs {
    let y = try place.output(x.count)
    place.context.kernels.exponential(try place.input(x), y: y)
    return ["y": y.array()]
  }
}
