import Machine
import Operators
import TestSupport
import Testing

/// Whether the tasks of a region occupy many cores to its end: executed by virtual threads, whose clocks count what a
/// task computes.
@Suite struct ScheduleTests {
  /// Sixteen caches of eight cores, which is what a socket of 128 has, and three times as many.
  private static func slots(_ cores: Int) -> Slots {
    Slots(
      pinned: cores,
      on: .simulated(nodes: max(1, cores / 128), cachesPerNode: min(cores, 128) / 8, coresPerCache: 8))
  }

  /// Work over threads × span.
  private func efficiency(_ cores: Int, _ works: (Clock) -> [Work]) throws -> Double {
    let clock = Clock()
    let simulation = Simulation { clock.time }
    Parallel(slots: Self.slots(cores), simulation: simulation).forEach(
      works(clock), beside: nil, team: nil)
    let region = try #require(simulation.regions.first)
    return Double(region.work) / Double(region.span * cores)
  }

  private func product(_ rows: Int, _ columns: Int, sums: Int, _ cores: Int, _ clock: Clock) -> Work {
    let grid = GEMMGrid(
      rows: rows, columns: columns, aInPlace: true, threads: cores, tile: (8, 48),
      order: rows < columns ? .down : .across)
    return Work(count: grid.count) { task, _ in
      let block = grid.block(task)
      clock.time += block.rows.count * block.columns.count * sums
    }
  }

  /// The products of GPT-2 124M at B=4, T=1024: forward, and both gradients in one region.
  /// What is left at 384 are the narrow ones, 768 to 768 and 3072 to 768: blocks are no smaller than 4 × 2 tiles, of
  /// which they have fewer than four a thread.
  @Test(arguments: [(64, 0.9, 0.8), (128, 0.9, 0.8), (384, 0.66, 0.72)])
  func productsFillManyCores(_ cores: Int, _ leastForward: Double, _ leastBackward: Double) throws {
    for (inputs, outputs) in [(768, 2304), (768, 768), (768, 3072), (3072, 768)] {
      let forward = try efficiency(cores) { [product(4096, outputs, sums: inputs, cores, $0)] }
      let backward = try efficiency(cores) { clock in
        [
          product(4096, inputs, sums: outputs, cores, clock),
          product(outputs, inputs, sums: 4096, cores, clock),
        ]
      }
      #expect(forward >= leastForward, "\(inputs) to \(outputs) on \(cores): \(forward)")
      #expect(backward >= leastBackward, "gradients of \(inputs) to \(outputs) on \(cores): \(backward)")
    }
  }

  /// Attention at B=4, T=1024, 12 heads: its tasks take as long as they have pairs of a key and a query. Back it has five
  /// a head, of which 64 threads have four each and 128 two.
  @Test(arguments: [(64, 0.95, 0.94), (128, 0.9, 0.92)])
  func attentionFillsManyCores(_ cores: Int, _ leastForward: Double, _ leastBackward: Double) throws {
    let shape = AttentionShape(batchSize: 4, sequenceLength: 1024, heads: 12, channels: 768)
    let forward = try efficiency(cores) { clock in
      [
        shape.forwardWork(threads: cores) { _, queries, _ in
          clock.time += queries.reduce(0) { $0 + $1 + 1 }
        }
      ]
    }
    let partials = try Arena([
      .init(name: "partials", shape: [Attention.sharedScratchCount(shape: shape)])
    ]).all
    let backward = try efficiency(cores) { clock in
      [
        AttentionChunks(shape).work(partials) { _, keys, _, _ in
          clock.time += keys.reduce(0) { $0 + 1024 - $1 }
        }
      ]
    }
    #expect(forward >= leastForward && backward >= leastBackward, "\(cores): \(forward), \(backward)")
  }
}

/// Runs as far as tasks say; a simulation runs in one thread.
private final class Clock { var time = 0 }
