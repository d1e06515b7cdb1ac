import Foundation
import Operators
import TestSupport
import Testing

/// The C library's functions in the widest arithmetic there is: on x86-64 their error is a thousandth of an ulp of a
/// Double, elsewhere up to an ulp of its own.
#if arch(x86_64)
  private typealias Wide = Float80
  private let referenceUlp = 0x1p-10
#else
  private typealias Wide = Double
  private let referenceUlp = 1.0
#endif

/// How a process ends at a failed precondition.
#if arch(x86_64)
  private let trap = ExitTest.Condition.signal(SIGILL)
#else
  private let trap = ExitTest.Condition.signal(SIGTRAP)
#endif

/// Our own log, cos and sin of a Double: within 1 ulp, and the same bits everywhere.
@Suite struct ElementaryFunctionsTests {
  /// The largest error over the arguments, in units in the last place of the exact result.
  private func worst(
    _ arguments: some Sequence<Double>, _ function: (Double) -> Double, _ exact: (Wide) -> Wide
  ) -> (ulp: Double, argument: Double) {
    var worst = (ulp: 0.0, argument: 0.0)
    for x in arguments {
      let expected = exact(Wide(x))
      let ulp = Double(abs(Wide(function(x)) - expected)) / Double(expected).ulp
      // In this form, NaN is the worst of all.
      if !(ulp <= worst.ulp) { worst = (ulp, x) }
    }
    return worst
  }

  private func expectUlp(
    _ arguments: some Sequence<Double>, _ function: (Double) -> Double, _ exact: (Wide) -> Wide,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let worst = worst(arguments, function, exact)
    #expect(worst.ulp <= 1 + referenceUlp, "at \(worst.argument)", sourceLocation: sourceLocation)
  }

  private func random(_ count: Int, seed: UInt64, _ make: (inout TestRandom) -> Double) -> [Double] {
    var random = TestRandom(seed: seed)
    return (0..<count).map { _ in make(&random) }
  }

  // MARK: log

  @Test func logOfWhatInitialisationDraws() {
    // Multiples of 2⁻⁵³ in (0, 1], the smallest and the largest among them.
    let unit = random(1_000_000, seed: 1) { 1 - $0.unit() }
    let edges = (1...1000).flatMap { [Double($0) * 0x1p-53, 1 - Double($0) * 0x1p-53] }
    expectUlp(unit + edges, ElementaryFunctions.log) { Foundation.log($0) }
  }

  @Test func logOfAllMagnitudes() {
    // Positive, finite bit patterns: 1 of 2048 exponents is of the subnormals, which a part of their own covers.
    let normal = random(1_000_000, seed: 2) { Double(bitPattern: $0.next() % Double.infinity.bitPattern) }
    let subnormal = random(100_000, seed: 3) { random in
      Double(bitPattern: random.next() >> (12 + random.next() % 52) | 1)
    }
    expectUlp(normal + subnormal, ElementaryFunctions.log) { Foundation.log($0) }
  }

  /// Where the mantissa's binade is halved, about 1, where the result is smallest, and between ⅓ and 3, where adding
  /// k·log 2 takes most away.
  @Test func logWhereItIsHard() {
    let steps = -1000...1000
    let halves = (-3...3).flatMap { power in
      steps.map {
        Double(sign: .plus, exponent: power, significand: 0.5.squareRoot()) * (1 + Double($0) * 0x1p-52)
      }
    }
    let nearOne =
      (1...52).flatMap { [1 + Double(sign: .plus, exponent: -$0, significand: 1), 1 - 0x1p-53 * Double($0)] }
      + random(300_000, seed: 4) { random in
        let exponent = -Int(random.next() % 52) - 1
        return 1 + (2 * random.unit() - 1) * Double(sign: .plus, exponent: exponent, significand: 1)
      }
    let cancelling = random(1_000_000, seed: 5) { 0.3 + 2.7 * $0.unit() }
    expectUlp(halves + nearOne.filter { $0 != 1 } + cancelling, ElementaryFunctions.log) {
      Foundation.log($0)
    }
  }

  @Test func logOfSpecialValues() {
    let log = ElementaryFunctions.log
    #expect(log(1).bitPattern == 0)
    #expect(log(0) == -.infinity && log(-0.0) == -.infinity && log(.infinity) == .infinity)
    for x: Double in [-.infinity, -1, -.leastNonzeroMagnitude, .nan, -.nan] { #expect(log(x).isNaN, "\(x)") }
    let edges = [
      Double.leastNonzeroMagnitude, .leastNormalMagnitude, Double.leastNormalMagnitude.nextDown,
      .greatestFiniteMagnitude,
    ]
    expectUlp(edges, log) { Foundation.log($0) }
  }

  // MARK: cos and sin

  private func expectBothUlp(
    _ arguments: [Double], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    expectUlp(arguments, ElementaryFunctions.cos, { Foundation.cos($0) }, sourceLocation: sourceLocation)
    expectUlp(
      arguments.filter { $0 != 0 }, ElementaryFunctions.sin, { Foundation.sin($0) },
      sourceLocation: sourceLocation)
  }

  @Test func anglesThatInitialisationDraws() {
    let edges = (1...1000).flatMap { [Double($0) * 0x1p-53, 1 - Double($0) * 0x1p-53] }
    expectBothUlp((random(1_000_000, seed: 6) { 1 - $0.unit() } + edges).map { 2 * Double.pi * $0 })
  }

  @Test func allAngles() {
    expectBothUlp(random(1_000_000, seed: 7) { 0x1p20 * (2 * $0.unit() - 1) } + [0x1p20, -0x1p20, 1e6, 0])
    // Of every magnitude down to the smallest.
    expectBothUlp(
      random(300_000, seed: 8) { random in
        let x = Double(bitPattern: random.next() % (0x1p20).bitPattern)
        return random.next() & 1 == 0 ? x : -x
      } + [.leastNonzeroMagnitude, -.leastNormalMagnitude, 0x1p-27, (0x1p-27).nextDown])
  }

  /// The three Doubles nearest to n·π/4, up to 2²⁰: where n is even, one function is all but zero, and all its digits
  /// are π/2's later ones; where n is odd, the angle may be seen from either quarter.
  @Test func anglesNextToMultiplesOfAQuarterOfPi() {
    expectBothUlp(
      (1...1_335_000).lazy.filter { $0 < 20_000 || $0 % 7 == 0 }.flatMap { n in
        let x = Double(n) * (Double.pi / 4)
        return [x.nextDown, x, x.nextUp]
      } + [29, 1_335_088 / 2].map { Double($0) * (Double.pi / 2) })
  }

  @Test func symmetries() {
    for x in random(10_000, seed: 9, { 100 * $0.unit() }) {
      #expect(ElementaryFunctions.cos(-x).bitPattern == ElementaryFunctions.cos(x).bitPattern)
      #expect(ElementaryFunctions.sin(-x).bitPattern == (-ElementaryFunctions.sin(x)).bitPattern)
    }
    #expect(ElementaryFunctions.sin(0).bitPattern == 0)
    #expect(ElementaryFunctions.sin(-0.0).bitPattern == (-0.0).bitPattern)
    #expect(ElementaryFunctions.cos(0) == 1 && ElementaryFunctions.cos(Double.pi) == -1)
  }

  @Test func anglesOutOfRangeStop() async {
    await #expect(processExitsWith: trap, "beyond 2²⁰") { _ = ElementaryFunctions.cos((0x1p20).nextUp) }
    await #expect(processExitsWith: trap, "−∞") { _ = ElementaryFunctions.sin(-.infinity) }
    await #expect(processExitsWith: trap, "NaN") { _ = ElementaryFunctions.cos(.nan) }
  }

  // MARK: The same bits everywhere

  /// Arguments where these functions give the second nearest Double, while C libraries (glibc 2.36 among them) give the
  /// nearest: so these are neither another library's bits nor those of another order of operations.
  @Test func bitsOfOurOwn() {
    let log = ElementaryFunctions.log
    #expect(
      [0.01, 0.021, 0.023, 0.036].map(log) == [
        -0x1.26bb1bbb55516p+2, -0x1.ee7e69eb0509p+1, -0x1.e2d97354e4b5p+1, -0x1.a980938f5df3ep+1,
      ])
    #expect(
      [0.509, 0.788, 0.795].map(ElementaryFunctions.cos) == [
        0x1.bf184c19b770ep-1, 0x1.6918718487d52p-1, 0x1.668bb9901109ap-1,
      ])
    #expect(
      [0.403, 0.424, 0.464].map(ElementaryFunctions.sin) == [
        0x1.919792c3fcfdp-2, 0x1.a5488aaabe47cp-2, 0x1.ca44fa6906614p-2,
      ])
    // The Double nearest to 29·π/2, and the least remainder of all up to 2²⁰.
    #expect(ElementaryFunctions.cos(0x1.6c6cbc45dc8dep5) == -0x1.6d61b58c99c43p-61)
  }

  /// A digest of 100,000 results of each, as a program in C with the same operations finds it.
  @Test func digests() {
    func digest(_ scale: Double, _ function: (Double) -> Double) -> UInt64 {
      (1...100_000).reduce(0) { ($0 ^ function(Double($1) * scale).bitPattern) &* 0x100_0000_01B3 }
    }
    #expect(digest(0x1p-16, ElementaryFunctions.log) == 0x3C0C_195A_06A4_7F54)
    #expect(digest(0x1p-10, ElementaryFunctions.cos) == 0xEDE7_A159_1528_4971)
    #expect(digest(0x1p-10, ElementaryFunctions.sin) == 0xDA08_B672_F30E_33E5)
  }
}
