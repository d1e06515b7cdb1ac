import JSON

/// A page for a browser: one file that needs no other, with its style, its script and what the script draws.
package struct HTMLPage {
  private let title: String
  private let body, style: [UInt8]
  private let scripts: [[UInt8]]

  /// - Parameters:
  ///   - title: until the script knows a better one; no text of a user.
  ///   - body: what is between the header and the footer.
  ///   - style: beside what all pages share.
  ///   - scripts: behind what all pages share; they read the element `data`.
  package init(title: String, body: [UInt8], style: [UInt8], scripts: [[UInt8]]) {
    (self.title, self.body, self.style, self.scripts) = (title, body, style, scripts)
  }

  package func bytes(_ data: JSONText) -> [UInt8] {
    var page: [UInt8] = []
    // Each part comes at the place that the page has for it.
    let parts: [String: [[UInt8]]] = [
      "title": [Array(title.utf8)], "body": [body], "style": [PackageResources.page_css, style],
      "script": [PackageResources.scale_js, PackageResources.elements_js] + scripts,
      "data": [Array(Self.inScript(data.encoded).utf8)],
    ]
    for piece in String(decoding: PackageResources.page_html, as: UTF8.self).split(separator: "%%") {
      if let part = parts[String(piece)] {
        page += part.joined()
      } else {
        page += piece.utf8
      }
    }
    return page
  }

  /// JSON within HTML's `script`, whose end no text may be taken for: the same texts, by escapes.
  private static func inScript(_ json: String) -> String {
    json.replacing("<", with: "\\u003c").replacing(">", with: "\\u003e").replacing("&", with: "\\u0026")
  }
}
