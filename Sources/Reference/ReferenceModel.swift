import RealModule

/// A whole GPT-2: forward, backward and update, with every activation kept.
///
///     x₀ = wte[token] + wpe[position];  xₗ₊₁ = blockₗ(xₗ);  logits = LN_f(x_L) · wteᵀ
///
/// The head is tied: `wte` is both the embedding and the head's weight, and its gradient is the sum of both.
public struct ReferenceModel<Scalar: Real & BinaryFloatingPoint> {
  public let configuration: ReferenceConfiguration
  public var activation: ReferenceGELU
  /// How operands of products are rounded.
  public var operands: ReferenceOperands
  /// What the next forward pass drops, and its backward pass; nil: nothing.
  public var dropout: ReferenceDropout?
  /// The sixteen tensors of `configuration.tensors` by name, row-major.
  public var parameters: [String: [Scalar]]
  /// As `parameters`; `backward` adds to them.
  public var gradients: [String: [Scalar]]
  /// The moments of AdamW.
  public var firstMoments, secondMoments: [String: [Scalar]]
  /// Updates done.
  public var steps = 0
  /// What the last forward pass left for the backward pass.
  @usableFromInline var pass: Pass?

  @usableFromInline
  struct Pass {
    @usableFromInline var inputs: [Int32]
    @usableFromInline var targets: [Int32]
    @usableFromInline var batchSize, sequenceLength: Int
    @usableFromInline var blocks: [ReferenceBlock<Scalar>.Activations] = []
    @usableFromInline var last: [Scalar] = []
    @usableFromInline var norm = ReferenceLayerNorm.Output<Scalar>(output: [], mean: [], rstd: [])
    @usableFromInline var probabilities: [Scalar] = []
    @usableFromInline var embeddingMask: [Scalar]?

    @inlinable
    init(inputs: [Int32], targets: [Int32], batchSize: Int, sequenceLength: Int) {
      self.inputs = inputs
      self.targets = targets
      self.batchSize = batchSize
      self.sequenceLength = sequenceLength
    }
  }

  /// - Precondition: `parameters` holds the sixteen tensors, each of its size.
  @inlinable
  public init(
    configuration: ReferenceConfiguration, parameters: [String: [Scalar]], activation: ReferenceGELU = .tanh,
    operands: ReferenceOperands = .exact
  ) {
    for tensor in configuration.tensors {
      precondition(parameters[tensor.name]?.count == tensor.shape.reduce(1, *), "\(tensor.name): wrong size")
    }
    self.configuration = configuration
    self.parameters = parameters
    self.activation = activation
    self.operands = operands
    gradients = configuration.zeros(Scalar.self)
    firstMoments = gradients
    secondMoments = gradients
  }

  /// The logits of every position and the mean loss of the targets.
  ///
  /// - Parameters:
  ///   - inputs, targets: (B, T), each in 0..<V.
  /// - Returns: logits (B, T, V), without the padded columns; the mean loss over B·T.
  @inlinable
  public mutating func forward(
    _ inputs: [Int32], targets: [Int32], batchSize: Int, sequenceLength: Int
  ) -> (logits: [Scalar], loss: Scalar) {
    precondition(inputs.count == batchSize * sequenceLength && targets.count == inputs.count)
    precondition(sequenceLength <= configuration.maximumSequenceLength)
    precondition(inputs.allSatisfy { $0 >= 0 && Int($0) < configuration.vocabulary })
    let (C, Vp) = (configuration.channels, configuration.paddedVocabulary)
    var pass = Pass(inputs: inputs, targets: targets, batchSize: batchSize, sequenceLength: sequenceLength)
    pass.embeddingMask = dropout?.mask(site: 0, rows: inputs.count, columns: C)
    var stream = ReferenceEncoder.forward(
      inputs, wte: parameter("wte"), wpe: parameter("wpe"), batchSize: batchSize,
      sequenceLength: sequenceLength, channels: C, mask: pass.embeddingMask)
    for layer in 0..<configuration.layers {
      let masks = dropout.map {
        ReferenceBlockMasks<Scalar>(
          $0, layer: layer, batchSize: batchSize, sequenceLength: sequenceLength, configuration)
      }
      let (output, kept) = block(layer).forward(
        stream, batchSize: batchSize, sequenceLength: sequenceLength, masks: masks)
      pass.blocks.append(kept)
      stream = output
    }
    pass.last = stream
    pass.norm = ReferenceLayerNorm.forward(
      stream, weight: parameter("lnfw"), bias: parameter("lnfb"), rows: inputs.count, channels: C,
      epsilon: Scalar(configuration.layerNormEpsilon))
    let logits = ReferenceLinear.forward(
      operands(pass.norm.output), weight: operands(parameter("wte")), bias: nil, rows: inputs.count,
      inputChannels: C, outputChannels: Vp)
    let entropy = ReferenceCrossEntropy.forward(
      logits, targets: targets, rows: inputs.count, vocabulary: configuration.vocabulary,
      paddedVocabulary: Vp)
    pass.probabilities = entropy.probabilities
    self.pass = pass
    let columns = configuration.vocabulary
    let real = (0..<inputs.count).flatMap { logits[$0 * Vp..<$0 * Vp + columns] }
    return (real, entropy.loss)
  }

  /// Adds the gradients of the last forward pass's mean loss to `gradients`.
  ///
  /// - Precondition: a forward pass was done.
  @inlinable
  public mutating func backward() {
    guard let pass else { preconditionFailure("backward needs a forward pass") }
    let rows = pass.inputs.count
    let dlogits = operands(
      ReferenceCrossEntropy.backward(
        pass.probabilities, targets: pass.targets, rows: rows, vocabulary: configuration.vocabulary,
        paddedVocabulary: configuration.paddedVocabulary))
    var dstream = backwardHead(dlogits, pass)
    for layer in (0..<configuration.layers).reversed() {
      var dblock = layerTensors(gradients, layer)
      dstream = block(layer).backward(
        dstream, kept: pass.blocks[layer], batchSize: pass.batchSize, sequenceLength: pass.sequenceLength,
        gradients: &dblock)
      for (name, values) in dblock {
        let part = range(layer, count: values.count)
        gradients[name]?.replaceSubrange(part, with: values)
      }
    }
    withTensors("wte", "wpe", of: &gradients) { dwte, dwpe in
      ReferenceEncoder.backward(
        dstream, tokens: pass.inputs, batchSize: pass.batchSize, sequenceLength: pass.sequenceLength,
        channels: configuration.channels, dwte: &dwte, dwpe: &dwpe, mask: pass.embeddingMask)
    }
  }

  /// One step of AdamW on every tensor.
  @inlinable
  public mutating func update(_ optimizer: ReferenceAdamW<Scalar>) {
    steps += 1
    for (name, _) in configuration.tensors {
      optimizer.update(
        gradients: gradients[name, default: []], step: steps, parameters: &parameters[name, default: []],
        firstMoment: &firstMoments[name, default: []], secondMoment: &secondMoments[name, default: []])
    }
  }

  /// Sets every gradient to zero.
  @inlinable
  public mutating func zeroGradients() {
    gradients = configuration.zeros(Scalar.self)
  }

  /// √(Σ g²) over every gradient, tensors in the checkpoint's order.
  @inlinable
  public var gradientNorm: Scalar {
    ReferenceGradientNorm.norm(configuration.tensors.map { gradients[$0.name, default: []] })
  }

  @inlinable
  mutating func backwardHead(_ dlogits: [Scalar], _ pass: Pass) -> [Scalar] {
    let (rows, C) = (pass.inputs.count, configuration.channels)
    ReferenceLinear.backwardWeight(
      dlogits, input: operands(pass.norm.output), rows: rows, inputChannels: C,
      outputChannels: configuration.paddedVocabulary, dweight: &gradients["wte", default: []])
    let dnorm = ReferenceLinear.backwardInput(
      dlogits, weight: operands(parameter("wte")), rows: rows, inputChannels: C,
      outputChannels: configuration.paddedVocabulary)
    let weight = parameter("lnfw")
    return withTensors("lnfw", "lnfb", of: &gradients) { dweight, dbias in
      ReferenceLayerNorm.backward(
        dnorm, input: pass.last, weight: weight, mean: pass.norm.mean, rstd: pass.norm.rstd, rows: rows,
        channels: C, dweight: &dweight, dbias: &dbias)
    }
  }

  @inlinable
  func parameter(_ name: String) -> [Scalar] { parameters[name, default: []] }

  @inlinable
  func block(_ layer: Int) -> ReferenceBlock<Scalar> {
    ReferenceBlock(
      parameters: layerTensors(parameters, layer), configuration: configuration, activation: activation,
      operands: operands)
  }

  /// The twelve tensors that have one part a layer, reduced to this layer's.
  @inlinable
  func layerTensors(_ all: [String: [Scalar]], _ layer: Int) -> [String: [Scalar]] {
    let outside: Set<String> = ["wte", "wpe", "lnfw", "lnfb"]
    return all.filter { !outside.contains($0.key) }.mapValues { values in
      Array(values[range(layer, count: values.count / configuration.layers)])
    }
  }

  @inlinable
  func range(_ layer: Int, count: Int) -> Range<Int> { layer * count..<(layer + 1) * count }
}
