import Foundation
import GPT2
import JSON
import Machine
import Terminal
import Tokens

extension Session {
  /// Encoding a text in memory, whole on one thread and as documents on all; and decoding it.
  ///
  /// Every run begins with an encoder that has met no word yet.
  func tokenizeSection(_ text: EncodedText) -> Section {
    let (encoder, tokenizer, tokens, documents) = (text.encoder, text.tokenizer, text.tokens, text.documents)
    func encodeDocuments() {
      let encoders = (0..<context.threads).map { _ in encoder.copy() }
      context.parallel.forEach(documents.count) { index, worker in
        encodeCounted(documents[index], encoders[worker])
      }
    }
    var jobs: [(name: String, run: () -> Void)] = [
      ("encode, 1 thread", { encodeCounted(text.bytes, encoder.copy()) }),
      ("decode, 1 thread", { precondition(!tokenizer.decode(tokens).isEmpty) }),
    ]
    if context.threads > 1 { jobs.insert(("encode, \(context.threads) threads", encodeDocuments), at: 1) }
    let rows = zip(jobs, rotate("tokenize", jobs.map(\.run))).map { job, timing in
      let rate = Double(text.bytes.count) / timing.median / 1e3
      return Row(
        suite: .tokenize, name: job.name, timing: timing, cost: .none,
        fields: [
          ("bytes", .integer(text.bytes.count)), ("tokens", .integer(tokens.count)),
          ("megabytes_per_second", .double(rate)),
        ], cells: [.number(rate)])
    }
    return Section(
      title: "tokenize", columns: ["MB/s"], rows: { rows },
      notes: [
        "\(text.path.shown): \(NumberText.count(text.bytes.count, "byte")), \(NumberText.count(tokens.count, "token")), \(NumberText.count(documents.count, "document"))"
      ])
  }
}

private func encodeCounted(_ text: [UInt8], _ encoder: TextEncoder) {
  let tokens = try? encoder.encode(text)
  precondition(tokens?.isEmpty == text.isEmpty, "every text has tokens")
}

/// A text, whole and cut into documents, and the vocabulary that has all of it.
struct EncodedText {
  let path: String
  let tokenizer: Tokenizer
  let encoder: TextEncoder
  let tokens: [Int32]
  let bytes: [UInt8]
  /// About 64 KiB each, cut after line feeds.
  let documents: [[UInt8]]

  init(path: String, tokenizer vocabulary: String) throws {
    self.path = path
    bytes = try textContents(path, limit: 1 << 30)
    guard !bytes.isEmpty else {
      throw TextFileError(description: "\(path): the text should not be empty, but is")
    }
    tokenizer = try Tokenizer(path: vocabulary)
    encoder = try TextEncoder(tokenizer, path: vocabulary)
    tokens = try encoder.copy().encode(bytes)
    var (documents, start) = ([[UInt8]](), 0)
    while start < bytes.count {
      let enough = min(bytes.count, start + 64 << 10)
      let end = bytes[enough...].firstIndex(of: 0x0A).map { $0 + 1 } ?? bytes.count
      documents.append(Array(bytes[start..<end]))
      start = end
    }
    self.documents = documents
  }
}

private struct TextFileError: Error, CustomStringConvertible { let description: String }
