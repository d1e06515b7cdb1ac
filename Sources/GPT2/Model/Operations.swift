extension Configuration {
  /// Operations of float32 of the model's formulas in a pass over B × T tokens, whatever the operators compute on top.
  ///
  /// A matrix product takes 2 a weight and row forward, 4 back: L·12·C² weights in the blocks and V·C in the head.
  /// Causal attention has T(T+1)/2 pairs of positions; q·k and att·v take 2·C each of them forward, twice that back.
  /// What operators compute again in the backward pass, norms, activations, softmax and the update is not counted.
  package func operations(batchSize: Int, sequenceLength: Int) -> (forward: Double, backward: Double) {
    let (layers, channels) = (Double(layers), Double(channels))
    let weights = layers * 12 * channels * channels + Double(vocabularySize) * channels
    let (batch, sequence) = (Double(batchSize), Double(sequenceLength))
    let attention = layers * batch * 4 * channels * sequence * (sequence + 1) / 2
    let forward = 2 * weights * batch * sequence + attention
    return (forward, 2 * forward)
  }
}
