import CKernels
import Machine

extension DropoutMask {
  /// - Parameters:
  ///   - row: the number of the first row that the kernel sees.
  ///   - offset: from the mask's own site to the one that is meant.
  func argument(row: Int, siteOffset offset: Int = 0) -> ck_dropout {
    ck_dropout(
      seed: dropout.seed, pass: dropout.pass, site: site &+ UInt32(truncatingIfNeeded: offset),
      row: UInt32(truncatingIfNeeded: row), threshold: dropout.threshold, scale: dropout.scale)
  }
}

extension Kernels {
  /// `Dropout.apply` has checked that the matrices fit.
  func dropout(_ x: Matrix, mask: DropoutMask, addedTo added: Matrix?, rows: Range<Int>, y: Matrix) {
    var argument = mask.argument(row: rows.lowerBound)
    let source = unsafe x.pointer(rows)
    if y.tensor.elementType == .bfloat16 {
      unsafe table.pointee.bf16_dropout(
        &argument, source, rows.count, y.columns, y.pairedPointer(rows, 0..<y.columns))
    } else {
      unsafe table.pointee.dropout(
        &argument, source, added.map { unsafe UnsafePointer($0.pointer(rows)) }, rows.count, y.columns,
        y.pointer(rows))
    }
  }
}
