import GPT2
import JSON
import Machine
import Operators
import Terminal

/// What steps take on some of this machine's threads, and what the model says of them; times in milliseconds.
struct StepHere {
  let threads: Int
  /// For the bytes of a step, where the model has a bandwidth for so many threads; else 0.
  let memory: Double
  fileprivate let simulated: [NamedTime]
  /// What the model says of the time between regions.
  fileprivate let simulatedBetween: Double
  fileprivate let steps: [RecordedStep]

  /// Until the last thread had no task, region by region.
  var span: Double { simulated.reduce(0) { $0 + $1.time } }
  var predicted: Double { max(span, memory) + simulatedBetween }
  var measured: Timing { Timing(steps.map(\.time)) }

  /// Each operator of a step, those that take long first, and the time between regions.
  var section: Section {
    let predicted = simulated.sums
    let least = leastRegions.sums
    let each = steps.map(\.regions.sums)
    let operators = least.sorted { ($0.value, $1.key) > ($1.value, $0.key) }.map { name, measured in
      row(name, each.map { $0[name] ?? 0 }, predicted: predicted[name] ?? 0, measured: measured)
    }
    let between = steps.map(\.between)
    let leastBetween = between.min() ?? 0
    let whole = row(
      "step", steps.map(\.time), predicted: span + simulatedBetween,
      measured: leastBetween + least.values.reduce(0, +), isPart: true)
    let serial = row("between", between, predicted: simulatedBetween, measured: leastBetween)
    let rows = [whole] + operators + [serial]
    return Section(
      title: "here, \(count)", columns: ["model ms", "measured ms", "model / measured"], rows: { rows },
      notes: [
        "measured ms adds up regions, each as it was in the step in which it took least, as model ms does with tasks; between is when no region is open, because the next is not described yet",
        "min, median and max are of whole steps; the model's operators share neither caches nor memory",
      ])
  }

  private var count: String { NumberText.count(threads, "thread") }

  /// The regions of a step, each as it was when it took least.
  private var leastRegions: [NamedTime] {
    steps.dropFirst().reduce(steps.first?.regions ?? []) { best, step in
      zip(best, step.regions).map { $0.time <= $1.time ? $0 : $1 }
    }
  }

  private func row(
    _ name: String, _ times: [Double], predicted: Double, measured: Double, isPart: Bool = false
  ) -> Row {
    return Row(
      suite: .model, name: "\(name), \(count)", timing: Timing(times), cost: .none,
      fields: [
        ("threads", .integer(threads)), ("measured_ms", .double(measured)),
        ("predicted_ms", .double(predicted)), ("predicted_over_measured", .double(predicted / measured)),
      ],
      cells: [.number(predicted), .number(measured), .number(predicted / measured)], isPart: isPart)
  }
}

extension Session {
  /// - Parameter bytes: that a step moves; 0 where the model leaves them out.
  func stepHere(threads: Int, bytes: Double) throws -> StepHere {
    let label = NumberText.count(threads, "thread")
    let steps = try recordedSteps(label, on: makeContext(threads: threads))
    let simulation = Simulation()
    let simulated = try simulatedStep(
      label, on: makeContext(threads: threads, simulation: simulation), simulation)
    return StepHere(
      threads: threads, memory: bytes / peak.gigabytes / 1e6,
      simulated: zip(simulated.regions, simulated.spans).map { NamedTime(name: $0.name.text, time: $1) },
      simulatedBetween: simulated.between, steps: steps)
  }

  private func recordedSteps(_ label: String, on context: ExecutionContext) throws -> [RecordedStep] {
    let model = try emptyModel(on: context)
    model.initialize()
    let steps = try TrainingSteps(model, self)
    return try warm("model, \(label)") { try RecordedStep(on: context) { try steps.step() } }
  }
}

/// What a region or an operator took.
private struct NamedTime {
  let name: String
  let time: Double
}

extension [NamedTime] {
  /// By name.
  fileprivate var sums: [String: Double] { reduce(into: [:]) { $0[$1.name, default: 0] += $1.time } }
}

/// A step as it was measured, and its regions in their order.
private struct RecordedStep {
  let time: Double
  let regions: [NamedTime]

  init(on context: ExecutionContext, _ step: () throws -> Void) throws {
    let recorder = Recorder(slots: context.threads)
    context.recorder = recorder
    defer { context.recorder = nil }
    time = try milliseconds(of: step)
    regions = recorder.regions.map { NamedTime(name: $0.name.text, time: Double($0.end - $0.start) / 1e6) }
  }

  /// Outside of regions.
  var between: Double { time - regions.reduce(0) { $0 + $1.time } }
}
