import JSON
import Machine
import Terminal

/// What a recorder has, as Chrome's trace events: a track for passes and their regions, and one for each slot.
///
/// - SeeAlso: "Trace Event Format", the JSON object format, which Perfetto reads, too.
struct TraceEvents {
  private static let process = 1
  private static let regionTrack = 0
  /// Bytes that are handed over at once.
  private static let chunk = 1 << 20

  private let recorder: Recorder
  private let slots: Slots
  /// The time at which the trace begins, in nanoseconds.
  private let origin: Int

  init(_ recorder: Recorder, slots: Slots) {
    (self.recorder, self.slots) = (recorder, slots)
    origin = recorder.passes.first?.start ?? 0
  }

  /// `{"displayTimeUnit": …, "otherData": {…}, "traceEvents": […]}`, an event a line.
  ///
  /// - Throws: `FileError`.
  func write(to file: inout AtomicFile) throws(FileError) {
    let about = JSONText.object([
      ("program", .text("gpt2 train")), ("version", .text(ProgramVersion.current)),
      ("date", .text(TimeText.current)), ("cpu", .text(Topology.current.modelName)),
      ("slots", .integer(recorder.slots)),
    ])
    var text = "{\"displayTimeUnit\":\"ms\",\"otherData\":\(about.encoded),\"traceEvents\":[\n"
    text += names.map(\.encoded).joined(separator: ",\n")
    func add(_ event: JSONText) throws(FileError) {
      text += ",\n" + event.encoded
      if text.utf8.count < Self.chunk { return }
      try file.write(Array(text.utf8))
      text = ""
    }
    for pass in recorder.passes {
      try add(event(pass.name, "pass", pass.start..<pass.end, track: Self.regionTrack, []))
      for number in pass.regions {
        let region = recorder.regions[number]
        let arguments: [(String, JSONText)] = [
          ("region", .integer(number)), ("tasks", .integer(region.tasks)),
        ]
        try add(
          event(
            region.name.text, region.section, region.start..<region.end, track: Self.regionTrack, arguments))
      }
    }
    for slot in 0..<recorder.slots {
      for part in recorder.parts(slot: slot) { try add(event(part, slot: slot)) }
    }
    try file.write(Array((text + "\n]}\n").utf8))
  }

  private func event(_ part: Recorder.Part, slot: Int) -> JSONText {
    let region = recorder.regions[part.region]
    return event(
      region.name.text, region.section, part.start..<part.end, track: track(of: slot),
      [
        ("region", .integer(part.region)), ("tasks", .integer(part.tasks)),
        ("stolen", .integer(part.stolen)),
      ])
  }

  /// A complete event; times in microseconds.
  private func event(
    _ name: String, _ category: String, _ time: Range<Int>, track: Int, _ arguments: [(String, JSONText)]
  ) -> JSONText {
    .object([
      ("ph", .text("X")), ("pid", .integer(Self.process)), ("tid", .integer(track)), ("name", .text(name)),
      ("cat", .text(category)), ("ts", microseconds(time.lowerBound - origin)),
      ("dur", microseconds(time.count)), ("args", .object(arguments)),
    ])
  }

  /// To the nanosecond.
  private func microseconds(_ nanoseconds: Int) -> JSONText {
    let rest = "\(1000 + nanoseconds % 1000)".dropFirst()
    return .number("\(nanoseconds / 1000).\(rest)")
  }

  private func track(of slot: Int) -> Int { Self.regionTrack + 1 + slot }

  private var names: [JSONText] {
    [metadata("process_name", nil, "name", .text("gpt2 train"))]
      + track(Self.regionTrack, named: "passes and regions")
      + (0..<recorder.slots).flatMap { track(track(of: $0), named: SlotText.place(of: $0, in: slots)) }
  }

  /// In the order of their numbers.
  private func track(_ track: Int, named name: String) -> [JSONText] {
    [
      metadata("thread_name", track, "name", .text(name)),
      metadata("thread_sort_index", track, "sort_index", .integer(track)),
    ]
  }

  private func metadata(_ kind: String, _ track: Int?, _ name: String, _ value: JSONText) -> JSONText {
    .object(
      [("ph", .text("M")), ("pid", .integer(Self.process))] + (track.map { [("tid", .integer($0))] } ?? [])
        + [("name", .text(kind)), ("args", .object([(name, value)]))])
  }
}
