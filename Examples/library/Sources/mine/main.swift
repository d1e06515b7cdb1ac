import GPT2        // models, checkpoints, training, sampling
import Operators   // where and how operators run; optimizers
import Tokens      // text, vocabularies, token files, batches

let context = try ExecutionContext()                       // all cores, the best instruction set
let model = try Model(checkpoint: Checkpoint(path: "gpt2_124M.bin"), context: context)
var data = try DataLoader(
  paths: ["tokens_train.bin"], batchSize: 4, sequenceLength: 64,
  vocabularySize: model.configuration.vocabularySize)
try data.nextBatch()
let (inputs, targets) = (data.inputs.array, data.targets.array)

try model.forward(inputs, targets: targets, batchSize: 4, sequenceLength: 64)
print(model.meanLoss!, model.activations!["fch_gelu"]!.shape)
model.zeroGradients()
try model.backward()
print(try model.gradients()["qkvw"]![0])
try model.update(AdamW(learningRate: 1e-4))

model.zeroGradients()                                      // the same step in one call: less memory, less time
let result = try model.train(
  inputs, targets: targets, batchSize: 4, sequenceLength: 64, optimizer: AdamW(learningRate: 1e-4), clip: 1)
print(result.loss, result.gradientNorm)
let loss = try model.evaluate(inputs, targets: targets, batchSize: 4, sequenceLength: 64)

var options = GenerationOptions()
options.sampling.temperature = 0.8
let generation = try Generation(model.network, prompts: [[15496], [464, 2068]], options: options)
for try await step in GeneratedTokens(generation) { print(step.sequence, step.token) }

let (network, workspace) = (model.network, model.network.makeWorkspace())
let training = try TrainingState(network)
let batch = try Batch(
  data.inputs, targets: data.targets, batchSize: 4, sequenceLength: 64, for: network.configuration)
training.gradients.zero()
let step = try training.step(batch, optimizer: SGD(learningRate: 1e-2), leavingUpdateDue: true, in: workspace)
training.finishUpdate()                                    // or the next step takes it, beside its own products

var loop = TrainingOptions()
loop.steps = 100
let trainer = try Trainer(model: model, training: data, options: loop)
let run = try Run(path: "run", keep: 3)                    // one process at a time
if let step = try run.newest().step { try step.restore(trainer) }
try trainer.run(
  report: { event in print(event) },
  atStep: { step in if step.isMultiple(of: 50) { try run.save(trainer) } })
try run.save(trainer)
