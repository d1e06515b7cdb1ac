import Foundation
import Testing

/// What `gpt2-bench` says of many threads, on however many there are. Nothing here asserts a time.
@Suite struct BenchScalingTests {
  private func results(_ suite: String, _ more: [String] = []) throws -> [[String: Any]] {
    let (report, _) = try Bench.report(Bench.small + ["--suite", suite] + more)
    return try #require(report["results"] as? [[String: Any]])
  }

  /// All of the threads' time goes somewhere, and one thread is as fast as itself.
  @Test(arguments: ["fp32", "bf16"]) func sharesOfTimeAreAllOfIt(_ precision: String) throws {
    let rows = try results("scaling", ["--precision", precision])
    let strong = rows.filter { $0["kind"] as? String == "strong" }
    let threads = strong.compactMap { $0["threads"] as? Int }
    #expect(threads.first == 1 && threads == threads.sorted() && Set(threads).count == threads.count)
    for row in rows {
      let shares = try ["busy", "slower", "waiting", "between"].map { try Bench.number(row, "\($0)_share") }
      // Threads come late and leave early: what they do not share is waiting. Clocks are read once for each.
      #expect(abs(shares.reduce(0, +) - 1) < 1e-9, "\(row)")
      #expect(shares.allSatisfy { $0 >= -1e-3 }, "\(row)")
      #expect(try Bench.number(row, "tasks") >= 1 && Bench.number(row, "stolen_tasks") >= 0)
      let (speedUp, count) = (try Bench.number(row, "speed_up"), try Bench.number(row, "threads"))
      #expect(abs(try Bench.number(row, "efficiency") * count / speedUp - 1) < 1e-9)
      if count == 1, row["kind"] as? String == "strong" { #expect(speedUp == 1) }
    }
  }

  /// No more than the cores, no less than the longest task, and what limits it named.
  @Test func serversArePredicted() throws {
    let rows = try results("model", ["--threads", "1"])
    let servers = rows.filter { $0["work_ms"] != nil }
    #expect(servers.compactMap { $0["threads"] as? Int } == [16, 32, 64, 128, 128])
    for row in servers {
      let (work, span) = (try Bench.number(row, "work_ms"), try Bench.number(row, "span_ms"))
      let cores = try Bench.number(row, "threads")
      // Each region takes at least an even share of its work: sums of a step's nanoseconds.
      #expect(span >= work / cores * (1 - 1e-9) && span <= work * (1 + 1e-9))
      let rest = try Bench.number(row, "memory_ms")
      #expect(try Bench.number(row, "predicted_ms") >= max(span, rest))
      #expect(["between", "memory", "regions", "uneven tasks"].contains(row["limit"] as? String))
    }
    let operators = rows.filter { $0["efficiency_1x16"] != nil }
    #expect(operators.contains { $0["name"] as? String == "Attention.forward" })
    for row in operators { #expect(try Bench.number(row, "efficiency_2x64") <= 1 + 1e-9, "\(row)") }
  }

  /// On one thread and on all: operators are those of the step, and add up to what the model says of it and to no more
  /// than what was measured.
  @Test(arguments: ["fp32", "bf16"]) func operatorsAreHeldAgainstTheModel(_ precision: String) throws {
    let rows = try results("model", ["--precision", precision])
    let names = rows.compactMap { $0["name"] as? String }
    #expect(Set(names).count == rows.count, "names tell results apart")
    let steps = rows.filter { ($0["name"] as? String)?.hasPrefix("here, ") == true }
    for step in Set([steps.first, steps.last].compactMap { $0?["threads"] as? Int }) {
      let whole = try #require(steps.first { $0["threads"] as? Int == step })
      let parts = rows.filter { $0["threads"] as? Int == step && $0["measured_ms"] != nil }
      let (betweens, operators) = (
        parts.filter { ($0["name"] as? String)?.hasPrefix("between, ") == true },
        parts.filter { ($0["name"] as? String)?.hasPrefix("between, ") == false }
      )
      let between = try #require(betweens.first)
      #expect(operators.count == parts.count - 1)
      // Sums of a step's milliseconds in another order.
      let predicted = try operators.reduce(0) { try $0 + Bench.number($1, "predicted_ms") }
      #expect(abs(predicted / (try Bench.number(whole, "span_ms")) - 1) < 1e-9)
      let sum =
        try max(Bench.number(whole, "span_ms"), Bench.number(whole, "memory_ms"))
        + Bench.number(between, "predicted_ms")
      #expect(abs(try Bench.number(whole, "predicted_ms") / sum - 1) < 1e-9)
      let measured = try parts.reduce(0) { try $0 + Bench.number($1, "measured_ms") }
      #expect(measured <= (try least(whole)) * (1 + 1e-9))
      for row in operators {
        let ratio = try Bench.number(row, "predicted_over_measured")
        let (model, time) = (try Bench.number(row, "predicted_ms"), try Bench.number(row, "measured_ms"))
        #expect(ratio > 0 && abs(ratio * time / model - 1) < 1e-9, "\(row)")
        #expect(time <= (try least(row)) * (1 + 1e-9), "\(row)")
      }
      // In bfloat16 some are of paired numbers.
      let threads = step == 1 ? "1 thread" : "\(step) threads"
      for name in ["Attention.backward", "LayerNorm.forward", "Linear.forward fcw", "CrossEntropy."] {
        #expect(names.contains { $0.contains(name) && $0.hasSuffix(", \(threads)") }, "\(name)")
      }
      // By their times.
      let times = try operators.map { try Bench.number($0, "measured_ms") }
      #expect(times == times.sorted(by: >))
    }
  }

  private func least(_ row: [String: Any]) throws -> Double {
    try Bench.number(try #require(row["milliseconds"] as? [String: Any]), "min")
  }
}
