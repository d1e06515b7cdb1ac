import JSON
import Machine

/// What a file of JSON is about, by its content.
public enum JSONFileKind: Sendable {
  /// A `DataManifest`: an object with a text "format".
  case manifest
  /// Hugging Face's `vocab.json`: an object that begins with a token's id and has as many members as there are bytes.
  case vocabulary
  /// The same with fewer members: a broken vocabulary, or anything else.
  case numbers
  /// Hugging Face's `tokenizer.json`: an object with an object "model".
  case tokenizer

  /// nil for JSON of other kinds and for what is no object. What is wrong further on, the readers tell.
  ///
  /// - Throws: `FormatError.file` where the file cannot be read.
  /// - Complexity: reads the whole file where it opens an object.
  public static func detect(path: String) throws(FormatError) -> JSONFileKind? {
    guard JSONCursor.opensObject(try mapped(path)) else { return nil }
    var (cursor, kind, members) = (JSONCursor(try contents(path)), JSONFileKind?.none, 0)
    do {
      try cursor.object(distinctNames: false) { (name, cursor) throws(JSONError) in
        if name == "format", cursor.peek() == "\"" { kind = .manifest }
        if name == "model", cursor.peek() == "{" { kind = .tokenizer }
        if members == 0, cursor.peek() == "-" || ("0"..."9").contains(cursor.peek()) { kind = .vocabulary }
        members += 1
        try cursor.skip()
      }
    } catch {
      // How many there would be is not known.
      return kind
    }
    return kind == .vocabulary && members < 256 ? .numbers : kind
  }
}
