import Foundation
import TestSupport
import Testing

/// Runs `gpt2-bench` itself. Nothing here asserts a time.
@Suite struct BenchTests {
  @Test func writesEveryResultByTheContract() throws {
    let (report, output) = try Bench.report(Bench.small + ["--threads", "1", "--isa", "portable"])
    let machine = try #require(report["machine"] as? [String: Any])
    #expect((machine["cpu"] as? String)?.isEmpty == false)
    #expect(machine["threads"] as? Int == 1)
    #expect(machine["isa"] as? String == "portable")
    #expect(try Bench.number(machine, "peak_gflops") > 0)
    #expect(try Bench.number(machine, "read_gigabytes_per_second") > 0)

    let results = try #require(report["results"] as? [[String: Any]])
    #expect(
      Set(results.compactMap { $0["suite"] as? String }) == [
        "peak", "gemm", "operators", "step", "evaluate", "decode", "memory",
      ])
    for result in results {
      let name = try #require(result["name"] as? String)
      let times = try #require(result["milliseconds"] as? [String: Any])
      let (least, median) = (try Bench.number(times, "min"), try Bench.number(times, "median"))
      #expect(0 < least && least <= median, "\(name)")
      #expect(median <= (try Bench.number(times, "max")), "\(name)")
      // Small tensors are printed as one.
      if result["suite"] as? String != "memory" { #expect(output.contains(name)) }
    }
    #expect(
      Set(results.compactMap { $0["name"] as? String }).count == results.count, "names tell results apart")
  }

  @Test func ratesAreWorkOverMedianAndFractionsAreOfThePeak() throws {
    let (report, _) = try Bench.report(Bench.small + ["--suite", "gemm,step"])
    let peak = try Bench.number(try #require(report["machine"] as? [String: Any]), "peak_gflops")
    let results = try #require(report["results"] as? [[String: Any]])
    func check(_ result: [String: Any], flop: Double) throws {
      let times = try #require(result["milliseconds"] as? [String: Any])
      let rate = try Bench.number(result, "gflops")
      // A few roundings of double.
      #expect(abs(rate * (try Bench.number(times, "median")) * 1e6 / flop - 1) < 1e-9)
      #expect(abs((try Bench.number(result, "fraction_of_peak")) * peak / rate - 1) < 1e-9)
    }
    let products = results.filter { $0["suite"] as? String == "gemm" }
    var shapes: [String: Set<[Int]>] = [:]
    for product in products {
      let sizes = try ["m", "n", "k"].map { Int(try Bench.number(product, $0)) }
      let pass = try #require(product["pass"] as? String)
      shapes[pass, default: []].insert(sizes)
      try check(product, flop: 2 * Double(sizes.reduce(1, *)))
    }
    #expect(Set(shapes.keys) == ["forward", "dinput", "dweight"])
    let expected: Set = [[32, 96, 32], [32, 32, 32], [32, 128, 32], [32, 32, 128], [32, 100, 32]]
    #expect(shapes.values.allSatisfy { $0 == expected })

    let steps = results.filter { $0["suite"] as? String == "step" }
    #expect(steps.count == 1)
    let step = try #require(steps.first)
    // By hand: weights 2·12·32² + 100·32 = 27,776, rows 32; attention 2 layers · 2 sequences · 4·32 · 16·17/2.
    try check(step, flop: 3 * (2 * 27776 * 32 + 2 * 2 * 4 * 32 * 136))
    #expect(step["model"] as? String == "L2-NH2-C32-V100")
    #expect(step["batch_size"] as? Int == 2 && step["sequence_length"] as? Int == 16)
    #expect(try Bench.number(step, "gradient_clip") == 0)
    for name in ["forward_ms", "backward_ms", "update_ms", "tokens_per_second", "peak_resident_bytes"] {
      #expect(try Bench.number(step, name) > 0, "\(name)")
    }
  }

  /// Fractions of a product in bfloat16 are of the peak of such products.
  @Test(arguments: ["portable", "auto"], ["bf16", "bf16-amx"])
  func productsOfBFloat16(_ set: String, _ precision: String) throws {
    let (report, _) = try Bench.report(
      Bench.small + ["--precision", precision, "--isa", set, "--threads", "1"])
    let machine = try #require(report["machine"] as? [String: Any])
    #expect(machine["precision"] as? String == precision)
    let peak = try Bench.number(machine, "peak_gflops")
    let results = try #require(report["results"] as? [[String: Any]])
    let products = results.filter { $0["suite"] as? String == "gemm" }
    #expect(products.count == 15 && products.allSatisfy { $0["precision"] as? String == precision })
    for product in products {
      let rate = try Bench.number(product, "gflops")
      #expect(abs((try Bench.number(product, "fraction_of_peak")) * peak / rate - 1) < 1e-9)
    }
    let peaks = results.filter { $0["suite"] as? String == "peak" }.compactMap { $0["name"] as? String }
    #expect(peaks.contains("fma, 1 thread") && peaks.contains("bf16 dot, 1 thread"))
    #expect(peaks.contains("bf16 amx, 1 thread") || precision == "bf16")
  }

  /// Fractions of a step in bfloat16 are of the peak of such products.
  @Test func stepsOfBFloat16() throws {
    let (report, output) = try Bench.report(
      Bench.small + ["--precision", "bf16", "--suite", "step,evaluate"])
    let peak = try Bench.number(
      try #require(report["machine"] as? [String: Any]), "peak_gflops")
    let results = try #require(report["results"] as? [[String: Any]])
    #expect(results.compactMap { $0["suite"] as? String } == ["step", "evaluate"])
    for result in results {
      #expect(result["precision"] as? String == "bf16")
      let rate = try Bench.number(result, "gflops")
      #expect(abs((try Bench.number(result, "fraction_of_peak")) * peak / rate - 1) < 1e-9)
    }
    #expect(output.contains("fractions are of the bf16 peak"))
  }

  /// Products of bfloat16 are measured by their own peak, sums by that of float32, and what streams by memory.
  @Test func operatorsOfBFloat16() throws {
    func operators(_ precision: String) throws -> (rows: [[String: Any]], machine: [String: Any]) {
      let (report, _) = try Bench.report(Bench.small + ["--precision", precision, "--suite", "operators"])
      return (
        try #require(report["results"] as? [[String: Any]]),
        try #require(report["machine"] as? [String: Any])
      )
    }
    let (single, paired) = (try operators("fp32").rows, try operators("bf16"))
    #expect(paired.rows.compactMap { $0["name"] as? String } == single.compactMap { $0["name"] as? String })
    let peak = try Bench.number(paired.machine, "peak_gflops")
    let attention = paired.rows.filter { ($0["name"] as? String)?.hasPrefix("attention") == true }
    #expect(attention.count == 2)
    for row in attention {
      guard let rate = row["gflops"] as? Double else { continue }
      #expect(abs((try Bench.number(row, "fraction_of_peak")) * peak / rate - 1) < 1e-9)
    }
  }

  /// Of one sequence and of the batch: a rate, and the share of what the bytes of a step allow.
  @Test func decodingReadsWeightsAndCache() throws {
    let (report, _) = try Bench.report(Bench.small + ["--suite", "decode"])
    let reads = try Bench.number(
      try #require(report["machine"] as? [String: Any]), "read_gigabytes_per_second")
    let results = try #require(report["results"] as? [[String: Any]])
    #expect(results.compactMap { $0["batch_size"] as? Int } == [1, 2])
    for (result, sequences) in zip(results, [1.0, 2]) {
      #expect(result["weights"] as? String == "fp32" && result["prompt"] as? Int == 16)
      let times = try #require(result["milliseconds"] as? [String: Any])
      let median = try Bench.number(times, "median")
      #expect(abs(try Bench.number(result, "tokens_per_second") * median / 1e3 / sequences - 1) < 1e-9)
      // By hand: 12·32² + 13·32 weights in each of 2 layers, 100·32 in the head, a position, the last norm; 16 tokens,
      // two to warm up and two that are timed, of 2 layers · 2 · 32 floats each.
      let weights = 2 * (12 * 32 * 32 + 13 * 32) + 100 * 32 + 32 + 2 * 32
      let bytes = 4 * (Double(weights) + sequences * 20 * 2 * 2 * 32)
      #expect(abs(try Bench.number(result, "gigabytes_per_second") * median * 1e6 / bytes - 1) < 1e-9)
      #expect(try Bench.number(result, "fraction_of_peak") * reads > 0)
    }
  }

  /// Beside float32's, with weights and cache of half the bytes.
  @Test(arguments: ["bf16", "bf16-amx"]) func decodingHasBothPrecisions(_ precision: String) throws {
    let (report, output) = try Bench.report(
      Bench.small + ["--suite", "decode", "--precision", precision])
    let results = try #require(report["results"] as? [[String: Any]])
    #expect(results.compactMap { $0["weights"] as? String } == ["fp32", precision, "fp32", precision])
    #expect(results.compactMap { $0["batch_size"] as? Int } == [1, 1, 2, 2])
    #expect(output.contains("decode, 2 sequences, \(precision)"), "\(output)")
    for (result, sequences) in zip(results, [1.0, 1, 2, 2]) {
      let isPaired = result["weights"] as? String == precision
      // By hand, as above: of the weights those of products are 12·32² in each of 2 layers and 100·32.
      let (products, others) = (2 * 12 * 32 * 32 + 100 * 32, 2 * 13 * 32 + 32 + 2 * 32)
      let numbers = Double(products) + sequences * 20 * 2 * 2 * 32
      let bytes = (isPaired ? 2 : 4) * numbers + 4 * Double(others)
      let median = try Bench.number(try #require(result["milliseconds"] as? [String: Any]), "median")
      #expect(abs(try Bench.number(result, "gigabytes_per_second") * median * 1e6 / bytes - 1) < 1e-9)
      #expect(try Bench.number(result, "tokens_per_second") > 0)
    }
  }

  @Test func clippedStepsSaySo() throws {
    let (report, output) = try Bench.report(Bench.small + ["--suite", "step", "--gradient-clip", "0.5"])
    let step = try #require((report["results"] as? [[String: Any]])?.first)
    #expect(try Bench.number(step, "gradient_clip") == 0.5)
    #expect(output.contains("gradients clipped to 0.5"))
  }

  /// Bytes of what is there: activations by their type, weights in bf16 where a pass multiplies them.
  @Test(arguments: ["fp32", "bf16", "bf16-amx"]) func memoryCountsEveryTensor(_ precision: String) throws {
    let (report, _) = try Bench.report(
      Bench.small + ["--suite", "memory", "--precision", precision, "--recompute", "none"])
    let results = try #require(report["results"] as? [[String: Any]])
    func bytes(_ name: String) throws -> Int {
      let result = try #require(results.first { $0["name"] as? String == name }, "\(name)")
      return Int(try Bench.number(result, "bytes"))
    }
    // The padded vocabulary has 128 rows; logits take them, too.
    #expect(try bytes("parameters wte") == 4 * 128 * 32)
    #expect(try bytes("activations logits") == 4 * 2 * 16 * 128)
    let isMixed = precision != "fp32"
    #expect(try bytes("activations qkv") == (isMixed ? 2 : 4) * 2 * 2 * 16 * 96)
    #expect(try bytes("activations ln1") == (isMixed ? 2 : 4) * 2 * 2 * 16 * 32)
    #expect(results.contains { $0["name"] as? String == "weights in bf16" } == isMixed)
    #expect(try bytes("activations' gradients") > 4 * 2 * 16 * 32)
    let whole = try bytes("parameters")
    for name in ["gradients", "first moments", "second moments"] { #expect(try bytes(name) == whole) }
    #expect(results.count { ($0["name"] as? String)?.hasPrefix("parameters ") == true } == 16)
  }

  @Test func theEnvironmentForcesAnInstructionSetAndTheOptionWins() throws {
    let arguments = Bench.small + ["--suite", "peak", "--threads", "1"]
    func isa(_ extra: [String], _ environment: String) throws -> String? {
      let (report, _) = try Bench.report(arguments + extra, environment: ["GPT2_ISA": environment])
      return (report["machine"] as? [String: Any])?["isa"] as? String
    }
    #expect(try isa([], "portable") == "portable")
    #expect(try isa(["--isa", "portable"], "nonsense") == "portable")
    let run = try Bench.run(arguments, environment: ["GPT2_ISA": "nonsense"])
    #expect(run.status == 64 && run.error.contains("GPT2_ISA") && run.error.contains("nonsense"))
  }

  @Test func overwritesNothing() throws {
    try TemporaryDirectory.with { folder in
      let file = folder.appending(path: "results.json")
      try Data("mine".utf8).write(to: file)
      let run = try Bench.run(Bench.small + ["--suite", "peak", "--json", file.path])
      #expect(
        run.status == 1 && run.error.contains("\(file.path) exists already: --overwrite")
          && run.output.isEmpty)
      #expect(try Data(contentsOf: file) == Data("mine".utf8))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["results.json"])
      // Where that is asked for, what a link leads to.
      let link = folder.appending(path: "link.json").path
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "results.json")
      let again = try Bench.run(Bench.small + ["--suite", "peak", "--json", link, "--overwrite"])
      #expect(try again.status == 0 && Data(contentsOf: file) != Data("mine".utf8), "\(again.error)")
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "results.json")
    }
  }

  @Test func aFileThatCannotBeWrittenIsRefusedBeforeMeasuring() throws {
    let run = try Bench.run(Bench.small + ["--json", "/nowhere/results.json"])
    #expect(run.status == 1 && run.error.contains("/nowhere/results.json") && run.output.isEmpty)
  }

  /// One sentence, and none of Foundation's.
  @Test func aTextThatIsNotThere() throws {
    let run = try Bench.run(["--suite", "tokenize", "--text", "/nope", "--tokenizer", "/none"])
    #expect(run.status == 1 && run.error == "error: Expected a file at /nope, found nothing.\n")
    #expect(run.output.isEmpty, "before anything is measured")
    try TemporaryDirectory.with { folder in
      try Data("a text".utf8).write(to: folder.appending(path: "a\u{1B}[31m.txt"))
      try Data(TestVocabulary.llm).write(to: folder.appending(path: "v.bin"))
      let names = ["a\u{1B}[31m.txt", "v.bin", "none.bin"].map { folder.appending(path: $0).path }
      let other = try Bench.run(["--suite", "tokenize", "--text", names[0], "--tokenizer", names[2]])
      #expect(other.status == 1 && other.error.contains("none.bin, found nothing") && other.output.isEmpty)
      let right = try Bench.run(
        ["--quick", "--suite", "tokenize", "--text", names[0], "--tokenizer", names[1]])
      #expect(right.status == 0, "\(right.error)")
      #expect(
        right.output.contains(#"a\x1B[31m.txt: 6 bytes"#) && !right.output.contains("\u{1B}"),
        "\(right.output)")
    }
  }

  @Test(arguments: [
    (["--suite", "gemm,flops"], "flops"),
    (["--suite", ""], "--suite"),
    (["--model", "gpt3"], "gpt3"),
    (["--model", "gpt2-124M", "--layers", "2"], "--model and --layers"),
    (["--layers", "2", "--heads", "2"], "--channels, --vocabulary, --context"),
    (
      ["--layers", "1", "--heads", "3", "--channels", "32", "--vocabulary", "9", "--context", "8"],
      "--channels should be a multiple of the 3 heads"
    ),
    (["--batch-size", "0"], "--batch-size"),
    (["--sequence-length", "-1"], "--sequence-length"),
    (["--gradient-clip", "-1"], "--gradient-clip"),
    (["--gradient-clip", "nan"], "--gradient-clip"),
    (["--gradient-clip", "1e39"], "float32"),
    (["--gradient-clip", "one"], "--gradient-clip"),
    (["--sequence-length", "1025"], "1024"),
    (["--batch-size", "9000000000000000000"], "too large"),
    (["--steps", "0"], "--steps"),
    (["--threads", "0"], "--threads"),
    (["--threads", "1000000"], "1000000"),
    (["--isa", "mmx"], "mmx"),
    (["--precision", "fp16"], "fp16"),
    (["--precision", "bf16", "--suite", "gemm,tokenize"], "tokenize"),
    (["--precision", "bf16", "--suite", "tokenize"], "measure it without --precision"),
    (["--rounds", "3"], "--rounds"),
    (["--suite", "tokenize", "--text", "a.txt"], "--tokenizer FILE"),
    (["--suite", "peak", "--text", "a.txt", "--tokenizer", "v.bin"], "--suite tokenize"),
    (["--tokenizer", "v.bin"], "--suite tokenize"),
    (["--batch-size", "four"], "four"),
  ])
  func refusesBadUsage(_ arguments: [String], mentions: String) throws {
    let run = try Bench.run(arguments)
    #expect(run.status == 64)
    #expect(run.output.isEmpty)
    #expect(run.error.contains(mentions), "\(run.error)")
  }

  /// 10¹¹ rows of any size exceed every machine.
  @Test(arguments: ["gemm", "operators", "step", "evaluate", "decode", "memory", "peak,gemm"])
  func refusesMoreMemoryThanThereIs(_ suite: String) throws {
    let run = try Bench.run([
      "--quick", "--suite", suite, "--batch-size", "100000000", "--sequence-length", "1000",
    ])
    #expect(run.status == 1)
    #expect(
      run.error.contains("bytes") && run.error.contains("available: a smaller --batch-size"), "\(run.error)")
    #expect(run.output.isEmpty, "before anything is measured")
  }

  @Test func helpExplainsItself() throws {
    let run = try Bench.run(["--help"])
    #expect(run.status == 0)
    for word in ["peak", "gemm", "operators", "step", "memory", "--json", "GPT2_ISA", "64"] {
      #expect(run.output.contains(word), "\(word)")
    }
  }
}
