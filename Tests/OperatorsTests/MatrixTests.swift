import Machine
import Operators
import Testing

@Suite struct MatrixTests {
  private func tensor(_ shape: [Int]) throws -> Tensor { try Arena.guardedTensor(shape: shape) }

  @Test func rowsInATensor() throws {
    let matrix = Matrix(try tensor([23]), rows: 3, columns: 5, rowStride: 7, offset: 4)
    #expect(matrix.rows == 3 && matrix.columns == 5 && matrix.rowStride == 7 && matrix.offset == 4)
    #expect(matrix.columnStride == 1 && matrix.elementType == .float32 && !matrix.isDense)
    let some = matrix[1..<3]
    #expect(some.rows == 2 && some.columns == 5 && some.offset == 11 && some.rowStride == 7)
    #expect(matrix[3..<3].rows == 0)
  }

  @Test func transposing() throws {
    let transposed = Matrix(try tensor([23]), rows: 3, columns: 5, rowStride: 7, offset: 4).transposed
    #expect(transposed.rows == 5 && transposed.columns == 3)
    #expect(transposed.rowStride == 1 && transposed.columnStride == 7 && !transposed.isDense)
    // A row of the transposed is a column.
    let some = transposed[2..<4]
    #expect(some.rows == 2 && some.columns == 3 && some.offset == 6 && some.columnStride == 7)
    #expect(transposed.transposed.rowStride == 7 && transposed.transposed.columns == 5)
  }

  @Test func ofWholeTensors() throws {
    let matrix = try tensor([2, 3, 5]).matrix()
    #expect(matrix.rows == 6 && matrix.columns == 5 && matrix.isDense)
    let wide = try tensor([2, 3, 5]).matrix(columns: 15)
    #expect(wide.rows == 2 && wide.columns == 15 && wide.isDense)
    #expect(try tensor([0, 5]).matrix().rows == 0)
    // One row is dense whatever its stride.
    #expect(Matrix(try tensor([5]), rows: 1, columns: 5, rowStride: 64).isDense)
  }

  @Test(arguments: ElementType.allCases) func elementTypes(_ type: ElementType) throws {
    let tensor = try Arena.guardedTensor(shape: [4, 3], elementType: type)
    #expect(tensor.matrix().elementType == type && tensor.matrix()[1..<2].transposed.elementType == type)
  }
}
