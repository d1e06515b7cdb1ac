import Foundation
import Machine

/// A file of events as TensorBoard reads them: TensorFlow's records, each an `Event` of Protocol Buffers.
///
///     uint64 length, uint32 check of the length, the event, uint32 check of the event
///
/// A record is one write at the file's end, so that a crash loses none that was written.
///
/// - SeeAlso: tensorflow/core/lib/io/record_writer.h; tensorflow/core/util/event.proto, framework/summary.proto.
struct EventFile {
  private let writer: LineWriter

  /// Makes the file, whose name sorts behind those of earlier ones, in a directory that is made where it is missing.
  ///
  /// - Throws: `FileError`.
  init(directory: String) throws(FileError) {
    let made = try NewDirectory(path: directory, withParents: true)
    let milliseconds = Int(Date.now.timeIntervalSince1970 * 1000)
    let fraction = "\(1000 + milliseconds % 1000)".dropFirst()
    writer = try LineWriter(
      path:
        "\(directory)/events.out.tfevents.\(milliseconds / 1000).\(fraction).\(ProcessInfo.processInfo.processIdentifier)"
    )
    made.keep()
    try write(step: 0) { $0.add(3, "brain.Event:2") }
  }

  /// Appends an event of the present moment; `content` adds to it what happened.
  func write(step: Int, _ content: (inout ProtocolBuffer) -> Void) throws(FileError) {
    var event = ProtocolBuffer()
    event.add(1, Date.now.timeIntervalSince1970)
    event.add(2, step)
    content(&event)
    try writer.write(record: Self.record(event.bytes))
  }

  private static func record(_ content: [UInt8]) -> [UInt8] {
    let length = UInt64(content.count).littleEndianBytes
    return length + check(length) + content + check(content)
  }

  /// CRC-32C, turned and moved, as data that hold checks of data would check badly.
  private static func check(_ bytes: [UInt8]) -> [UInt8] {
    let sum = CyclicRedundancyCheck.of(bytes)
    return ((sum >> 15 | sum << 17) &+ 0xA282_EAD8).littleEndianBytes
  }
}
