import Foundation
import TestSupport
import Testing

/// `gpt2 train --trace`: who ran what, and when.
@Suite struct TraceTests {
  /// An event of a trace, as far as tests look at it.
  private struct Event: Decodable {
    struct Arguments: Decodable {
      let region, tasks, stolen: Int?
      let name: String?
    }

    let ph, name: String
    let cat: String?
    let tid: Int?
    let ts, dur: Double?
    let args: Arguments

    var end: Double { (ts ?? .nan) + (dur ?? .nan) }
  }

  private struct Trace: Decodable {
    let traceEvents: [Event]

    init(_ url: URL) throws {
      self = try JSONDecoder().decode(Self.self, from: Data(contentsOf: url))
    }

    /// Of the tracks of slots.
    var parts: [Event] { traceEvents.filter { $0.ph == "X" && $0.tid != 0 } }
    var regions: [Event] { traceEvents.filter { $0.ph == "X" && $0.tid == 0 && $0.cat != "pass" } }
    var passes: [Event] { traceEvents.filter { $0.cat == "pass" } }
    func names(_ kind: String) -> [String] {
      traceEvents.filter { $0.ph == "M" && $0.name == kind }.compactMap(\.args.name)
    }
  }

  private func train(_ options: [String], in directory: URL) throws -> Run {
    try Executable.run(TrainCase.arguments() + options, in: directory)
  }

  @Test(arguments: [1, 2, 3]) func everyRegionHasItsTasks(_ threads: Int) throws {
    try TemporaryDirectory.with { directory in
      let run = try train(
        [
          "--trace", "t.json", "--threads", "\(threads)", "--val-every", "3", "--sample-every", "4",
          "--steps", "14",
        ], in: directory)
      #expect(
        run.exitCode == 0 && run.output.contains("trace of 10 steps written to t.json"), "\(run.errors)")
      let trace = try Trace(directory.appending(path: "t.json"))
      let tracks = trace.names("thread_name")
      #expect(tracks.count == threads + 1 && trace.names("process_name") == ["gpt2 train"])
      for (slot, name) in tracks.dropFirst().enumerated() {
        #expect(name.wholeMatch(of: /slot (\d+)(, processor \d+, domain \d+, node \d+)?/)?.1 == "\(slot)")
      }
      // Steps 0 to 9, validated before 0, 3, 6 and 9, with samples before 4 and 8.
      let passes = trace.passes
      #expect(Set(passes.map(\.name)) == Set((0..<10).map { "step \($0)" } + ["validation", "sample"]))
      #expect(zip(passes, passes.dropFirst()).allSatisfy { $0.end <= $1.ts! + 0.0005 })
      var tasks = [Int](repeating: 0, count: trace.regions.count)
      for part in trace.parts {
        #expect((1...threads).contains(part.tid!) && part.args.stolen! <= part.args.tasks!)
        let region = trace.regions[part.args.region!]
        #expect(region.name == part.name && region.cat == part.cat && part.ts! >= region.ts!)
        #expect(passes.contains { $0.ts! <= part.ts! && part.end <= $0.end + 0.0005 })
        tasks[part.args.region!] += part.args.tasks!
      }
      #expect(trace.regions.map(\.args.region) == Array(0..<tasks.count))
      #expect(trace.regions.map(\.args.tasks!) == tasks && tasks.allSatisfy { $0 > 0 })
      let sections = Set(trace.regions.compactMap(\.cat))
      for section in ["embeddings", "forward, layer 0", "backward, layer 1", "update", "decode"] {
        #expect(sections.contains(section), "\(section)")
      }
      #expect(trace.regions.contains { $0.name == "Linear.forward qkvw" && $0.cat == "forward, layer 1" })
    }
  }

  /// Recorded or not, on one thread, too.
  @Test(arguments: ["1", "2"]) func theBitsAreTheSame(_ threads: String) throws {
    let plain = try TrainCase.losses(["--threads", threads])
    #expect(try TrainCase.losses(["--threads", threads, "--trace", "t.json"]) == plain && plain?.count == 10)
  }

  @Test func aShortRunHasAll() throws {
    try TemporaryDirectory.with { directory in
      let run = try train(["--trace", "t.json", "--steps", "2"], in: directory)
      #expect(run.exitCode == 0 && run.output.contains("trace of 2 steps written"), "\(run.errors)")
      let names = Set(try Trace(directory.appending(path: "t.json")).passes.map(\.name))
      #expect(names.isSuperset(of: ["step 0", "step 1"]))
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["t.json"])
    }
  }

  @Test func aSignalAndAnErrorLeaveWhatThereIs() throws {
    try TemporaryDirectory.with { directory in
      // Fifty batches a step, so that the first ten last long enough to be met.
      let script = """
        head -c 25604 /dev/zero > data.bin
        "$0" train --layers 2 --heads 2 --channels 128 --vocabulary 29 --context 64 --train-data data.bin \
          --token-type int32 --batch-size 2 --sequence-length 64 --gradient-accumulation 50 --steps 1000 \
          --trace t.json --log log.jsonl > /dev/null & p=$!
        for i in $(seq 3000); do grep -q '"train"' log.jsonl 2> /dev/null && break; sleep 0.01; done
        """
      let run = try Executable.shell(script + "\nkill -INT $p; wait $p", in: directory)
      #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
      let passes = try Trace(directory.appending(path: "t.json")).passes
      #expect(passes.count >= 50 && passes[0].name == "step 0")
      let failed = try Executable.shell(
        "rm t.json log.jsonl\n" + script + "\ntruncate -s 25000 data.bin; wait $p", in: directory)
      expectRefusal(failed, "data.bin should stay as it is")
      #expect(try Trace(directory.appending(path: "t.json")).passes.first?.name == "step 0")
    }
  }

  /// Where it stands is not lost to a run that goes on.
  @Test func aResumedRunLeavesTheTraceOfItsBeginning() throws {
    try TemporaryDirectory.with { directory in
      let options = ["--trace", "t.json", "--save", "run", "--resume", "--schedule", "constant"]
      #expect(try train(options + ["--steps", "3"], in: directory).exitCode == 0)
      let first = try Data(contentsOf: directory.appending(path: "t.json"))
      let resumed = try train(options + ["--steps", "5"], in: directory)
      #expect(resumed.exitCode == 0 && !resumed.output.contains("trace of"), "\(resumed.errors)")
      #expect(try Data(contentsOf: directory.appending(path: "t.json")) == first)
    }
  }

  @Test func badPlacesAreKnownBeforeTraining() throws {
    try TemporaryDirectory.with { directory in
      try Data("mine".utf8).write(to: directory.appending(path: "mine.json"))
      expectRefusal(
        try train(["--trace", "mine.json", "--log", "log.jsonl"], in: directory), "mine.json",
        "should be a new file, but exists: move it or name another")
      expectRefusal(try train(["--trace", "none/t.json"], in: directory), "none/t.json")
      expectRefusal(try train(["--trace", "."], in: directory), "directory")
      for option in ["--log", "--output"] {
        expectRefusal(
          try train(["--trace", "t.json", option, "t.json"], in: directory), exitCode: 64, option, "two files"
        )
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["mine.json"])
      #expect(try Data(contentsOf: directory.appending(path: "mine.json")) == Data("mine".utf8))
    }
  }
}
