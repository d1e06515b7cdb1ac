import RealModule

/// One transformer block: attention, then the feed-forward pair, each after a layer normalisation and around
/// a residual connection (pre-LN).
///
///     h = x + attention(LN₁(x) · qkvwᵀ + qkvb) · attprojwᵀ + attprojb
///     y = h + GELU(LN₂(h) · fcwᵀ + fcb) · fcprojwᵀ + fcprojb
///
/// With dropout attention's weights, and what is added to x and to h, are multiplied by masks.
///
/// - SeeAlso: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners".
public struct ReferenceBlock<Scalar: Real & BinaryFloatingPoint> {
  /// The twelve tensors of this block by name, without the leading L of their shapes.
  public var parameters: [String: [Scalar]]
  public var configuration: ReferenceConfiguration
  public var activation: ReferenceGELU
  /// How operands of products are rounded.
  public var operands: ReferenceOperands

  /// What the forward pass keeps for the backward pass.
  public struct Activations {
    /// x: (B, T, C).
    public var input: [Scalar] = []
    public var norm1 = ReferenceLayerNorm.Output<Scalar>(output: [], mean: [], rstd: [])
    /// (B, T, 3C).
    public var qkv: [Scalar] = []
    public var attention = ReferenceAttention.Output<Scalar>(output: [], preattention: [], attention: [])
    /// h: (B, T, C).
    public var residual: [Scalar] = []
    public var norm2 = ReferenceLayerNorm.Output<Scalar>(output: [], mean: [], rstd: [])
    /// Before the activation: (B, T, 4C). `backward` takes the activation and its slope of what is kept.
    public var hidden: [Scalar] = []
    /// What dropout multiplied by; nil: nothing was dropped.
    public var masks: ReferenceBlockMasks<Scalar>?

    @inlinable
    public init() {}
  }

  @inlinable
  public init(
    parameters: [String: [Scalar]], configuration: ReferenceConfiguration, activation: ReferenceGELU = .tanh,
    operands: ReferenceOperands = .exact
  ) {
    self.parameters = parameters
    self.configuration = configuration
    self.activation = activation
    self.operands = operands
  }

  /// - Parameters:
  ///   - input: (B, T, C).
  ///   - masks: of dropout; nil: ones.
  /// - Returns: y (B, T, C), and what `backward` needs.
  @inlinable
  public func forward(
    _ input: [Scalar], batchSize: Int, sequenceLength: Int, masks: ReferenceBlockMasks<Scalar>? = nil
  ) -> (output: [Scalar], kept: Activations) {
    var kept = Activations()
    kept.input = input
    kept.masks = masks
    kept.norm1 = normalise(input, "ln1")
    kept.qkv = operands(linear(kept.norm1.output, "qkv"))
    kept.attention = ReferenceAttention.forward(
      kept.qkv, batchSize: batchSize, sequenceLength: sequenceLength, channels: configuration.channels,
      heads: configuration.heads, operands: operands, mask: masks?.attention)
    kept.residual = ReferenceResidual.forward(
      input, linear(kept.attention.output, "attproj"), mask: masks?.attentionProjection)
    kept.norm2 = normalise(kept.residual, "ln2")
    let hidden = linear(kept.norm2.output, "fc")
    kept.hidden = operands.kept(hidden)
    let output = ReferenceResidual.forward(
      kept.residual, linear(activation.forward(hidden), "fcproj"), mask: masks?.feedForwardProjection)
    return (output, kept)
  }

  /// - Parameters:
  ///   - dout: (B, T, C).
  ///   - kept: from the forward pass.
  ///   - gradients: this block's twelve tensors, accumulated.
  /// - Returns: dx (B, T, C).
  @inlinable
  public func backward(
    _ dout: [Scalar], kept: Activations, batchSize: Int, sequenceLength: Int,
    gradients: inout [String: [Scalar]]
  ) -> [Scalar] {
    let (dresidual, dprojected) = ReferenceResidual.backward(dout, mask: kept.masks?.feedForwardProjection)
    let activated = activation.forward(kept.hidden)
    let dactivated = linearBackward(dprojected, input: activated, "fcproj", &gradients)
    let dhidden = activation.backward(dactivated, input: kept.hidden)
    let dnorm2 = linearBackward(dhidden, input: kept.norm2.output, "fc", &gradients)
    let dbranch = normaliseBackward(dnorm2, input: kept.residual, kept.norm2, "ln2", &gradients)
    let (dinput, dattended) = ReferenceResidual.backward(
      ReferenceResidual.forward(dresidual, dbranch), mask: kept.masks?.attentionProjection)
    let dattention = linearBackward(dattended, input: kept.attention.output, "attproj", &gradients)
    let dqkv = ReferenceAttention.backward(
      operands(dattention), qkv: kept.qkv, kept: kept.attention, batchSize: batchSize,
      sequenceLength: sequenceLength, channels: configuration.channels, heads: configuration.heads,
      operands: operands)
    let dnorm1 = linearBackward(dqkv, input: kept.norm1.output, "qkv", &gradients)
    let dfirst = normaliseBackward(dnorm1, input: kept.input, kept.norm1, "ln1", &gradients)
    return ReferenceResidual.forward(dinput, dfirst)
  }

  /// The tensor of this name; every block has all twelve.
  @inlinable
  func parameter(_ name: String) -> [Scalar] {
    guard let tensor = parameters[name] else { preconditionFailure("a block needs the tensor \(name)") }
    return tensor
  }

  @inlinable
  func linear(_ input: [Scalar], _ name: String) -> [Scalar] {
    let bias = parameter(name + "b")
    let weight = parameter(name + "w")
    let channels = weight.count / bias.count
    return ReferenceLinear.forward(
      operands(input), weight: operands(weight), bias: bias, rows: input.count / channels,
      inputChannels: channels,
      outputChannels: bias.count)
  }

  @inlinable
  func linearBackward(
    _ dout: [Scalar], input: [Scalar], _ name: String, _ gradients: inout [String: [Scalar]]
  ) -> [Scalar] {
    let outputs = parameter(name + "b").count
    let weight = parameter(name + "w")
    return withTensors(name + "w", name + "b", of: &gradients) { dweight, dbias in
      ReferenceLinear.backward(
        operands(dout), input: operands(input), weight: operands(weight), rows: dout.count / outputs,
        inputChannels: weight.count / outputs, outputChannels: outputs, dweight: &dweight, dbias: &dbias)
    }
  }

  @inlinable
  func normalise(_ input: [Scalar], _ name: String) -> ReferenceLayerNorm.Output<Scalar> {
    ReferenceLayerNorm.forward(
      input, weight: parameter(name + "w"), bias: parameter(name + "b"),
      rows: input.count / configuration.channels, channels: configuration.channels,
      epsilon: Scalar(configuration.layerNormEpsilon))
  }

  @inlinable
  func normaliseBackward(
    _ dout: [Scalar], input: [Scalar], _ norm: ReferenceLayerNorm.Output<Scalar>, _ name: String,
    _ gradients: inout [String: [Scalar]]
  ) -> [Scalar] {
    withTensors(name + "w", name + "b", of: &gradients) { dweight, dbias in
      ReferenceLayerNorm.backward(
        dout, input: input, weight: parameter(name + "w"), mean: norm.mean, rstd: norm.rstd,
        rows: norm.mean.count, channels: configuration.channels, dweight: &dweight, dbias: &dbias)
    }
  }
}
