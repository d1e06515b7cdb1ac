import Machine

/// What `torch.save` wrote of a dictionary of tensors, such as a `pytorch_model.bin`.
public enum PyTorchTensors {
  /// The tensors in the order of the dictionary.
  ///
  /// - Throws: `FormatError`: no such file, a class that is no tensor's, a tensor that does not lie in its storage.
  public static func entries(path: String) throws(FormatError) -> [TensorEntry] {
    try PyTorchFile(path: path).stateDictionary().map(\.entry)
  }
}
