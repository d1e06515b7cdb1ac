import GPT2        // models, training
import Operators   // where and how operators run; optimizers
import Tokens      // text, vocabularies, batches

// A small model and sums to learn, which the library makes up itself.
let corpus = BuiltInCorpus()
let model = try Model(configuration: BuiltInTraining.configuration(), context: ExecutionContext())
model.initialize(seed: 1)
func loader(_ file: TokenFile) throws -> DataLoader {
  try DataLoader(
    files: [file], batchSize: BuiltInTraining.batchSize, sequenceLength: BuiltInTraining.sequenceLength,
    vocabularySize: BuiltInCorpus.vocabularySize)
}

// 1. Train, with an optimizer of one's own (Lion.swift).
var options = BuiltInTraining.options(corpus)
options.steps = 60
options.sampleInterval = 0
options.validationInterval = 30
options.optimizer = Lion(learningRate: 3e-4)
let trainer = try Trainer(
  model: model, training: loader(corpus.training), validation: loader(corpus.validation), options: options)
try trainer.run { event in
  switch event {
  case .train(let step) where step.step.isMultiple(of: 10): print("step \(step.step) loss \(step.loss)")
  case .validation(let step, let loss): print("step \(step) validation \(loss)")
  default: break
  }
}

// 2. Look at gradients: one batch, forward and back, and the norm of every tensor's.
var data = try loader(corpus.validation)
try data.nextBatch()
try model.forward(
  data.inputs.array, targets: data.targets.array, batchSize: data.batchSize, sequenceLength: data.sequenceLength)
model.zeroGradients()
try model.backward()
for tensor in try model.gradients().tensors {
  let squares = tensor.parts.reduce(0.0) { sum, part in
    part.array().reduce(sum) { $0 + Double($1) * Double($1) }
  }
  print("gradient \(tensor.name) \(tensor.shape) norm \(squares.squareRoot())")
}
print("all gradients norm \(try model.gradientNorm())")
