import Foundation
import Machine
import Testing

@Suite struct TensorTests {
  private func makeTensor(_ shape: [Int]) throws -> Tensor {
    try Arena([.init(name: "x", shape: shape)])["x"]!
  }

  @Test func elementsAreSharedBetweenCopies() throws {
    let tensor = try makeTensor([2, 3])
    let copy = tensor
    copy[4] = 7
    #expect(tensor.array() == [0, 0, 0, 0, 7, 0])
  }

  @Test func spansSeeAndChangeTheElements() throws {
    let tensor = try makeTensor([4])
    tensor.withMutableSpan { span in
      for index in span.indices { span[index] = Float(index * index) }
    }
    #expect(tensor.withSpan { $0.count } == 4)
    #expect(tensor.withSpan { $0[3] } == 9)
    #expect(tensor.array() == [0, 1, 4, 9])
  }

  @Test func slicesAndShapesReferToTheSameElements() throws {
    let tensor = try makeTensor([3, 4])
    tensor.copy(from: (0..<12).map { Float($0) })
    let row = tensor.slice(4..<8, name: "row")
    #expect(row.name == "row")
    #expect(row.shape == [4])
    #expect(row.array() == [4, 5, 6, 7])
    let square = tensor.slice(2..<6, shape: [2, 2])
    #expect(square.name == "x")
    #expect(square.shape == [2, 2])
    square[0] = -1
    #expect(tensor[2] == -1)
    #expect(square.slice(1..<3).array() == [3, 4])
    #expect(tensor.reshaped([12]).shape == [12])
    #expect(tensor.slice(12..<12).array() == [])
  }

  @Test func copiesBetweenTensors() throws {
    let source = try makeTensor([5])
    let destination = try makeTensor([5])
    source.copy(from: [1, 2, 3, 4, 5])
    destination.copy(from: source)
    source.fill(0)
    #expect(destination.array() == [1, 2, 3, 4, 5])
    // Overlapping ranges of one tensor.
    destination.slice(1..<5).copy(from: destination.slice(0..<4))
    #expect(destination.array() == [1, 1, 2, 3, 4])
  }

  @Test func outOfBoundsStops() async {
    await #expect(processExitsWith: trap) {
      let tensor = try Arena([.init(name: "x", shape: [4]), .init(name: "y", shape: [4])])["x"]!
      tensor[4] = 1
    }
    await #expect(processExitsWith: trap) {
      let tensor = try Arena([.init(name: "x", shape: [4])])["x"]!
      _ = tensor.slice(2..<5)
    }
    await #expect(processExitsWith: trap) {
      let tensor = try Arena([.init(name: "x", shape: [4])])["x"]!
      _ = tensor.reshaped([-2, -2])
    }
  }

  /// Arithmetic is on float32: other types have memory and views.
  @Test func numbersOfOtherTypesStop() async {
    await #expect(processExitsWith: trap) {
      let tensor = try Arena.guardedTensor(shape: [4], elementType: .bfloat16)
      _ = tensor[0]
    }
    await #expect(processExitsWith: trap) {
      try Arena.guardedTensor(shape: [4], elementType: .int8).fill(1)
    }
    await #expect(processExitsWith: trap) {
      _ = try Arena.guardedTensor(shape: [4], elementType: .bfloat16).slice(1..<3).array()
    }
    await #expect(processExitsWith: trap) {
      let arena = try Arena([
        .init(name: "x", shape: [4]), .init(name: "y", shape: [4], elementType: .int8),
      ])
      _ = arena.all
    }
  }

  /// The elements of a guarded tensor are usable, however many there are.
  @Test(arguments: [1, 15, 1024, 5000], [GuardEdge.start, .end])
  func guardedTensorsWork(count: Int, edge: GuardEdge) throws {
    let tensor = try Arena.guardedTensor(shape: [count], edge: edge)
    #expect(tensor.array() == Array(repeating: 0, count: count))
    tensor.fill(1)
    #expect(tensor[0] == 1)
    #expect(tensor[count - 1] == 1)
  }

  /// The raw pointer is what kernels get: one element past the guarded edge ends the process, and so the test's.
  @Test func guardPagesCatchOneElementTooMany() async {
    await #expect(processExitsWith: .signal(SIGSEGV)) {
      let tensor = try Arena.guardedTensor(shape: [3, 5], edge: .end)
      unsafe tensor.pointer[15] = 1
    }
    await #expect(processExitsWith: .signal(SIGSEGV)) {
      let tensor = try Arena.guardedTensor(shape: [3, 5], edge: .start)
      unsafe tensor.pointer[-1] = 1
    }
    await #expect(processExitsWith: .signal(SIGSEGV)) {
      let arena = try Arena.guarded([.init(name: "a", shape: [3]), .init(name: "b", shape: [1025])])
      unsafe arena["b"]!.pointer[1025] = 1
    }
    await #expect(processExitsWith: .signal(SIGSEGV)) {
      let tensor = try Arena.guardedTensor(shape: [3], elementType: .int8)
      unsafe tensor.rawPointer.storeBytes(of: 1, toByteOffset: 3, as: UInt8.self)
    }
  }
}
