import GPT2
import JSON
import Machine
import Operators
import Terminal

/// A server that this machine need not be.
private struct Server {
  let name: String
  let nodes, cachesPerNode, coresPerCache: Int
  /// Sustained reads of one node, and of the cores that share a cache, 10⁹ bytes a second.
  let nodeGigabytes, cacheGigabytes: Double

  var cores: Int { nodes * cachesPerNode * coresPerCache }

  var slots: Slots {
    Slots(
      pinned: cores,
      on: .simulated(nodes: nodes, cachesPerNode: cachesPerNode, coresPerCache: coresPerCache))
  }

  var gigabytes: Double { Double(nodes) * min(nodeGigabytes, Double(cachesPerNode) * cacheGigabytes) }

  /// perf/model.md derives the numbers: a socket of twelve channels of DDR5-4800, caches of eight cores.
  static let known: [Server] =
    [
      (1, 2, "16 cores"), (1, 4, "32 cores"), (1, 8, "64 cores"), (1, 16, "128 cores"),
      (2, 8, "2 × 64 cores"),
    ]
    .map { nodes, caches, name in
      Server(
        name: name, nodes: nodes, cachesPerNode: caches, coresPerCache: 8, nodeGigabytes: 370,
        cacheGigabytes: 60)
    }

  /// Seconds that an empty region takes: the leader's store for each domain, a claim of each of its threads, one of
  /// each domain at the end.
  var regionSeconds: Double {
    let line = 0.1e-6
    return 0.3e-6 + line * Double(coresPerCache + nodes * cachesPerNode)
  }
}

/// What a step would take there.
private struct Prediction {
  let server: Server
  /// Seconds: of all tasks together; until the last thread had none, region by region; for the bytes; for the regions
  /// themselves; between them.
  var work = 0.0
  var span = 0.0
  var memory = 0.0
  var regions = 0.0
  var between = 0.0
  var regionCount = 0
  /// Work and span by region.
  var operators: [String: (work: Double, span: Double)] = [:]

  var seconds: Double { max(span, memory) + regions + between }

  /// The largest of what keeps it from work / cores.
  var limit: String {
    let ideal = work / Double(server.cores)
    let limits = [
      (memory > span ? "memory" : "uneven tasks", max(span, memory) - ideal), ("regions", regions),
      ("between", between),
    ]
    return limits.max { $0.1 < $1.1 }?.0 ?? ""
  }
}

extension Session {
  /// The tasks of a step, timed one by one on one thread and given to the threads of servers; and of this machine, where
  /// the same is measured.
  func modelSections() throws -> [Section] {
    let predictions = try Server.known.map { try predict($0) }
    let counts = Self.threadCounts(to: settings.threads)
    // Reads were measured on all threads.
    let here = try counts.map { threads in
      try stepHere(threads: threads, bytes: threads == settings.threads ? stepBytes : 0)
    }
    let operators = here.filter { [counts.first, counts.last].contains($0.threads) }.map(\.section)
    return [modelSection(predictions, here)] + operators + [operatorSection(predictions)]
  }

  private func predict(_ server: Server) throws -> Prediction {
    let simulation = Simulation()
    let context = try ExecutionContext(
      threads: server.cores, instructionSet: settings.instructionSet, slots: server.slots,
      simulation: simulation)
    var prediction = Prediction(server: server)
    let step = try simulatedStep(server.name, on: context, simulation)
    prediction.between = step.between / 1e3
    for (region, span) in zip(step.regions, step.spans) {
      let (work, span) = (Double(region.work) / 1e9, span / 1e3)
      prediction.regionCount += 1
      prediction.work += work
      prediction.span += span
      prediction.operators[region.name.text, default: (0, 0)].work += work
      prediction.operators[region.name.text, default: (0, 0)].span += span
    }
    prediction.regions = Double(prediction.regionCount) * server.regionSeconds
    prediction.memory = stepBytes / server.gigabytes / 1e9
    return prediction
  }

  /// Bytes that a step must move where nothing but the operands at hand stays in caches: weights once a pass and twice
  /// back, the update's 28 a parameter and 4 for the norm, activations written once and read twice, and their gradients.
  private var stepBytes: Double {
    let parameters = Double(configuration.parameterCount)
    let number = settings.precision == .fp32 ? 4.0 : 2.0
    let activations = Double(rows) * Double(configuration.channels) * Double(configuration.layers)
    return parameters * (2 * number + 4 + 28 + 4) + activations * (16 * 3 + 9 * 2) * number
  }

  private func modelSection(_ predictions: [Prediction], _ here: [StepHere]) -> Section {
    let one = here.first?.measured.median ?? 0
    let measured = here.map { here in
      let (timing, predicted) = (here.measured, here.predicted)
      let ratios = [timing.least, timing.median].map { NumberText.significant(predicted / $0) }
      return Row(
        suite: .model, name: "here, \(NumberText.count(here.threads, "thread")), measured", timing: timing,
        cost: .none,
        fields: [
          ("threads", .integer(here.threads)), ("predicted_ms", .double(predicted)),
          ("span_ms", .double(here.span)), ("memory_ms", .double(here.memory)),
        ],
        cells: [
          .number(predicted), .number(one / timing.median),
          .number(100 * one / timing.median / Double(here.threads)),
          .text("model / min \(ratios[0]), / median \(ratios[1])"),
        ])
    }
    let servers = predictions.map { prediction in
      let speedUp = prediction.work / prediction.seconds
      return Row(
        suite: .model, name: prediction.server.name, timing: Timing([prediction.seconds * 1e3]), cost: .none,
        fields: [
          ("threads", .integer(prediction.server.cores)), ("nodes", .integer(prediction.server.nodes)),
          ("predicted_ms", .double(prediction.seconds * 1e3)), ("work_ms", .double(prediction.work * 1e3)),
          ("span_ms", .double(prediction.span * 1e3)), ("memory_ms", .double(prediction.memory * 1e3)),
          ("regions_ms", .double(prediction.regions * 1e3)),
          ("between_ms", .double(prediction.between * 1e3)), ("limit", .text(prediction.limit)),
        ],
        cells: [
          .number(prediction.seconds * 1e3), .number(speedUp),
          .number(100 * speedUp / Double(prediction.server.cores)), .text(prediction.limit),
        ])
    }
    return Section(
      title: "model", columns: ["model ms", "speed-up", "efficiency %", "limit"],
      rows: { measured + servers },
      notes: ["servers are of cores like this machine's, and predicted only: perf/model.md says from what"])
  }

  /// Each operator's work / (cores × span): what uneven tasks leave.
  private func operatorSection(_ predictions: [Prediction]) -> Section {
    let names = (predictions.first?.operators ?? [:]).sorted { $0.value.work > $1.value.work }.map(\.key)
    let rows = names.map { name in
      let efficiencies = predictions.map { prediction in
        prediction.operators[name].map { $0.work / $0.span / Double(prediction.server.cores) } ?? 0
      }
      return Row(
        suite: .model, name: name, timing: Timing([(predictions.first?.operators[name]?.work ?? 0) * 1e3]),
        cost: .none,
        fields: zip(predictions, efficiencies).map {
          ("efficiency_\($0.server.nodes)x\($0.server.cores / $0.server.nodes)", .double($1))
        },
        cells: efficiencies.map { .number(100 * $0) })
    }
    return Section(
      title: "% of even shares", columns: predictions.map(\.server.name), rows: { rows },
      notes: [
        "a time is that of all tasks of an operator in a step, one after the other"
      ])
  }
}
