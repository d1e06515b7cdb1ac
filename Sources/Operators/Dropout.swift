import Machine

/// Dropout in one pass of training: which elements of its matrices become 0, and what the others are multiplied by.
///
/// Nothing is stored. Whether an element is kept is a function of the seed, the pass, the matrix (`DropoutMask`) and the
/// element's row and column, so that the forward and the backward pass, and one that computes a part again, find the
/// same, on any number of threads and with any instruction set.
///
/// An element is dropped where a word of 32 random bits says so: its probability is a multiple of 2⁻³², the one that
/// is nearest to what was asked for, and the scale is 1/(1 − that).
///
/// - SeeAlso: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting"; Salmon,
///   Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", doi:10.1145/2063384.2063405, whose
///   Philox4x32-10 makes the words.
public struct Dropout: Sendable {
  let seed: UInt64
  let pass: UInt32
  /// Of 2³² words, how many drop an element.
  package let threshold: UInt32

  /// nil where nothing is dropped: where the probability is below 2⁻³³.
  ///
  /// - Parameters:
  ///   - probability: of an element to become 0, in 0..<1.
  ///   - pass: the number of the pass, modulo 2³².
  public init?(probability: Double, seed: UInt64, pass: Int) {
    precondition((0..<1).contains(probability), "a probability of \(probability) to be dropped")
    let words = min((probability * 0x1p32).rounded(), 0x1p32 - 1)
    guard words > 0 else { return nil }
    threshold = UInt32(words)
    self.seed = seed
    self.pass = UInt32(truncatingIfNeeded: pass)
  }

  /// The probability that holds.
  public var probability: Double { Double(threshold) * 0x1p-32 }

  /// What an element that is kept is multiplied by, rounded once.
  public var scale: Float { Float(1 / (1 - probability)) }

  /// The mask of one of the pass's matrices.
  public func mask(_ site: UInt32) -> DropoutMask { DropoutMask(dropout: self, site: site) }

  /// y = mask∘x, or `added` + mask∘x.
  ///
  /// - Parameters:
  ///   - x, added: (R, C), float32; either may be y.
  ///   - y: (R, C), overwritten: float32, or bfloat16, to which it is rounded as an operand of products.
  /// - Precondition: matrices are dense and fit each other; nothing is added in bfloat16.
  /// - Accuracy: rounded once after the scale, as a multiply-add where something is added.
  /// - Complexity: 8 bytes an element and 4 for what is added, and 20 products of 32 bits for each four elements.
  public static func apply(
    _ x: Matrix, mask: DropoutMask, addedTo added: Matrix? = nil, y: Matrix, context: ExecutionContext
  ) {
    precondition(
      x.rows == y.rows && x.columns == y.columns && x.isDense && y.isDense
        && (added.map { $0.rows == y.rows && $0.columns == y.columns && $0.isDense } ?? true),
      "dense matrices of \(y.rows) × \(y.columns)")
    precondition(added == nil || y.tensor.elementType == .float32, "sums are float32")
    context.perform(
      .blocks(of: context.blockSize(y.rows, least: 16), in: y.rows) { rows, _ in
        context.kernels.dropout(x, mask: mask, addedTo: added, rows: rows, y: y)
      })
  }
}

/// The mask of one matrix of a pass.
public struct DropoutMask: Sendable {
  let dropout: Dropout
  /// Which one: matrices of one pass have numbers of their own.
  let site: UInt32
}
