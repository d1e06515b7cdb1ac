import Machine
import Testing

@Suite struct BoundedIntegersTests {
  @Test func holdsWhatItWasGiven() throws {
    let integers = try BoundedIntegers([0, 6, 3], below: 7)
    #expect(integers.array == [0, 6, 3] && integers.count == 3 && integers.bound == 7)
    #expect(integers[1] == 6)
    #expect(try BoundedIntegers([], below: 0).isEmpty)
  }

  @Test(arguments: [(-1 as Int32, 7), (7, 7), (Int32.min, 7), (0, 0), (Int32.max, Int(Int32.max))])
  func refusesTheFirstOutside(_ value: Int32, _ bound: Int) {
    let inside: [Int32] = bound > 0 ? [0] : []
    let error = #expect(throws: BoundedIntegers.OutOfBounds.self) {
      try BoundedIntegers(inside + [value, -5], below: bound)
    }
    #expect(error?.position == inside.count && error?.value == value && error?.bound == bound)
  }

  /// Int32.max is the largest there is: a bound beyond it refuses none but negative ones.
  @Test func boundsBeyondTheType() throws {
    #expect(try BoundedIntegers([Int32.max], below: Int.max).count == 1)
    #expect(throws: BoundedIntegers.OutOfBounds.self) { try BoundedIntegers([-1], below: Int.max) }
  }

  @Test func partsComeOneBehindAnother() throws {
    let integers = try BoundedIntegers([5, 4, 3, 2, 1], below: 6)
    let joined = BoundedIntegers(joining: [integers[1..<3], integers[0..<1], integers[2..<2]], below: 7)
    #expect(joined.array == [4, 3, 5] && joined.count == 3 && joined.bound == 7)
    #expect(BoundedIntegers(joining: [], below: 7).isEmpty)
  }

  @Test func slicesCountFromTheirStart() throws {
    let slice = try BoundedIntegers([5, 4, 3, 2, 1], below: 6)[1..<4]
    #expect(slice.array == [4, 3, 2] && slice[2] == 2 && slice.bound == 6)
    #expect(slice[1..<2].array == [3])
    #expect(slice.withSpan { $0.count } == 3)
  }
}
