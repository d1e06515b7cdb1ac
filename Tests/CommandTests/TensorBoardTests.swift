import Foundation
import TestSupport
import Testing

/// `--tensorboard`: files of events, read as TensorBoard reads them. `Benchmarks/peers/check_tensorboard` has its own
/// reader do it.
@Suite struct TensorBoardTests {
  @Test func theEventsAreThoseOfTheLog() throws {
    try TemporaryDirectory.with { directory in
      let log = directory.appending(path: "log.jsonl")
      let run = try Executable.run(
        TrainCase.arguments() + [
          "--val-every", "4", "--sample-every", "5", "--tensorboard", "deep/er/board", "--log", log.path,
        ], in: directory)
      #expect(run.exitCode == 0, "\(run.errors)")
      let files = try EventFiles(directory.appending(path: "deep/er/board"))
      #expect(files.names.count == 1)
      #expect(files.events.first?.version == "brain.Event:2")
      let lines = try TrainCase.log(log)
      func scalars(_ tag: String) -> [Int: Float] { files.scalars(tag) }
      func logged(_ event: String, _ value: (LogLine) -> Float?) -> [Int: Float] {
        Dictionary(uniqueKeysWithValues: lines.filter { $0.event == event }.map { ($0.step!, value($0)!) })
      }
      #expect(scalars("loss/train") == logged("train", \.loss) && scalars("loss/train").count == 10)
      #expect(scalars("loss/validation") == logged("validation", \.loss))
      #expect(scalars("gradient_norm") == logged("train") { Float($0.gradientNorm!) })
      #expect(scalars("learning_rate") == logged("train") { Float($0.learningRate!) })
      #expect(scalars("tokens_per_second") == logged("train") { Float($0.tokensPerSecond!) })
      let samples = files.events.flatMap { event in
        event.values.compactMap { $0.text.map { (event.step, $0) } }
      }
      #expect(samples.map(\.0) == [5, 10])
      let ids = try #require(lines.first { $0.event == "sample" }?.tokens)
      #expect(samples.first?.1 == "    " + ids.map(String.init).joined(separator: " "))
      // Seconds since 1970, of the log's own clock.
      let now = Date.now.timeIntervalSince1970
      #expect(files.events.allSatisfy { (now - 100...now).contains($0.time) })
    }
  }

  @Test func aResumedRunGoesOnInAFileOfItsOwn() throws {
    try TemporaryDirectory.with { directory in
      var arguments =
        TrainCase.arguments() + ["--sample-every", "0", "--tensorboard", "board", "--save", "run"]
      #expect(try Executable.run(arguments + ["--steps", "6"], in: directory).exitCode == 0)
      arguments = ["train", "--save", "run", "--resume", "--steps", "10"]
      #expect(try Executable.run(arguments, in: directory).exitCode == 0)
      let files = try EventFiles(directory.appending(path: "board"))
      #expect(files.names.count == 2)
      let starts = files.events.filter { $0.startsSession }
      #expect(starts.map(\.step) == [6])
      #expect(files.scalars("loss/train").keys.sorted() == Array(0..<10))
    }
  }

  @Test func directoriesThatCannotBe() throws {
    try TemporaryDirectory.with { directory in
      try Data().write(to: directory.appending(path: "file"))
      for path in ["file", "file/board", "/proc/board"] {
        let run = try Executable.run(
          TrainCase.arguments() + [
            "--tensorboard", path, "--log", "log.jsonl", "--trace", "trace.json", "--output", "model.bin",
          ], in: directory)
        expectRefusal(run, path)
        // Refused before anything is there.
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["file"])
      }
    }
  }
}

/// All events of a directory, in the order of the files' names.
private struct EventFiles {
  struct Value {
    var tag = ""
    var scalar: Float?
    var text: String?
  }

  struct Event {
    var time = 0.0
    var step = 0
    var version: String?
    var startsSession = false
    var values: [Value] = []
  }

  let names: [String]
  private(set) var events: [Event] = []

  init(_ directory: URL) throws {
    names = try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
    for name in names {
      #expect(name.contains("tfevents"))
      var rest = [UInt8](try Data(contentsOf: directory.appending(path: name)))[...]
      while !rest.isEmpty {
        let length = rest.prefix(8)
        let count = Int(Self.integer(length))
        try #require(rest.count >= count + 16)
        let content = rest.dropFirst(12).prefix(count)
        #expect(Self.integer(rest.dropFirst(8).prefix(4)) == UInt64(Self.maskedCheck(length)))
        #expect(Self.integer(rest.dropFirst(12 + count).prefix(4)) == UInt64(Self.maskedCheck(content)))
        events.append(try Self.event(content))
        rest = rest.dropFirst(count + 16)
      }
    }
  }

  /// The last value of a tag at each step.
  func scalars(_ tag: String) -> [Int: Float] {
    var found: [Int: Float] = [:]
    for event in events {
      for value in event.values where value.tag == tag { found[event.step] = value.scalar }
    }
    return found
  }

  private static func event(_ bytes: ArraySlice<UInt8>) throws -> Event {
    var event = Event()
    for (field, content) in try fields(bytes) {
      switch field {
      case 1: event.time = Double(bitPattern: integer(content))
      case 2: event.step = Int(integer(content))
      case 3: event.version = String(decoding: content, as: UTF8.self)
      case 5: event.values = try fields(content).map { try value($0.content) }
      case 7: event.startsSession = try fields(content).first.map { integer($0.content) == 1 } ?? false
      default: Issue.record("field \(field) of an event")
      }
    }
    return event
  }

  private static func value(_ bytes: ArraySlice<UInt8>) throws -> Value {
    var value = Value()
    for (field, content) in try fields(bytes) {
      switch field {
      case 1: value.tag = String(decoding: content, as: UTF8.self)
      case 2: value.scalar = Float(bitPattern: UInt32(integer(content)))
      case 8:
        value.text = try fields(content).first { $0.field == 8 }.map {
          String(decoding: $0.content, as: UTF8.self)
        }
      case 9:
        let plugin = try fields(try #require(try fields(content).first).content)
        #expect(plugin.map { String(decoding: $0.content, as: UTF8.self) } == ["text"])
      default: Issue.record("field \(field) of a value")
      }
    }
    return value
  }

  /// The fields of a message; variable integers as eight bytes.
  private static func fields(
    _ bytes: ArraySlice<UInt8>
  ) throws -> [(field: Int, content: ArraySlice<UInt8>)] {
    var (rest, found): (ArraySlice<UInt8>, [(field: Int, content: ArraySlice<UInt8>)]) = (bytes, [])
    func variable() throws -> UInt64 {
      var (value, shift) = (UInt64(0), UInt64(0))
      while let byte = rest.popFirst() {
        value |= UInt64(byte & 0x7F) << shift
        shift += 7
        if byte < 0x80 { return value }
      }
      throw TestFileError("a message ends within a number")
    }
    while !rest.isEmpty {
      let key = try variable()
      let content: ArraySlice<UInt8>
      switch key & 7 {
      case 0:
        let value = try variable()
        content = (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }[...]
      case 1: content = rest.prefix(8)
      case 2:
        let count = Int(try variable())
        try #require(count <= rest.count)
        content = rest.prefix(count)
      default: content = rest.prefix(4)
      }
      if key & 7 != 0 { rest = rest.dropFirst(content.count) }
      found.append((Int(key >> 3), content))
    }
    return found
  }

  private static func integer(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// By long division, bit after bit.
  private static func maskedCheck(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var remainder = ~UInt32(0)
    for byte in bytes {
      remainder ^= UInt32(byte)
      for _ in 0..<8 { remainder = remainder & 1 == 0 ? remainder >> 1 : remainder >> 1 ^ 0x82F6_3B78 }
    }
    let check = ~remainder
    return (check >> 15 | check << 17) &+ 0xA282_EAD8
  }
}
