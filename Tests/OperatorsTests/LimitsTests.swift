import Machine
import Operators
import Testing

@Suite struct LimitsTests {
  /// Every element is read: small integers, whose sum is exact in any order.
  @Test(arguments: [1, 15, 16, 17, 63, 64, 65, 131, 4099]) func read(_ count: Int) throws {
    let values = (0..<count).map { Float($0 % 37) }
    _ = try everywhere(sharedCount: 3) { place in
      let sum = Limits.read(try place.input(values), context: place.context)
      #expect(sum == Double(values.reduce(0, +)), "\(count) on \(place.context.instructionSet)")
      // The same in pieces, one of them empty.
      let cuts = [0, count / 3, count / 3, count / 2, count]
      let pieces = try zip(cuts, cuts.dropFirst()).map { try place.input(Array(values[$0..<$1])) }
      #expect(Limits.read(pieces, context: place.context) == sum)
      return [:]
    }
  }

  @Test func multiplyAddCountsEveryThread() throws {
    for set in InstructionSet.available {
      let one = try ExecutionContext(threads: 1, instructionSet: set)
      let three = try ExecutionContext(threads: 3, instructionSet: set)
      let done = Limits.multiplyAdd(iterations: 100, context: one)
      #expect(Limits.multiplyAdd(iterations: 100, context: three) == 3 * done)
      // More threads than a cache line has floats: a fresh context has a number for each.
      let many = try ExecutionContext(threads: 17, instructionSet: set)
      #expect(Limits.multiplyAdd(iterations: 100, context: many) == 17 * done)
    }
  }
}
