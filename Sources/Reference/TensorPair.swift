/// Changes two tensors of a dictionary in one call, which the law of exclusivity forbids to `&d[a], &d[b]`.
///
/// - Precondition: both names are there and differ.
@inlinable
func withTensors<Scalar, Result>(
  _ first: String, _ second: String, of tensors: inout [String: [Scalar]],
  _ body: (inout [Scalar], inout [Scalar]) -> Result
) -> Result {
  guard first != second, var a = tensors.removeValue(forKey: first),
    var b = tensors.removeValue(forKey: second)
  else { preconditionFailure("expected the tensors \(first) and \(second)") }
  let result = body(&a, &b)
  tensors[first] = a
  tensors[second] = b
  return result
}
