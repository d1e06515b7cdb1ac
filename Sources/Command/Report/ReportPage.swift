import JSON

/// The page: one file that needs no other, with its style, its script and what the script draws.
enum ReportPage {
  static func bytes(_ data: JSONText) -> [UInt8] {
    var page: [UInt8] = []
    // Each part comes at the place that the page has for it.
    let parts: [String: [[UInt8]]] = [
      "style": [PackageResources.report_css],
      "script": [
        PackageResources.scale_js, PackageResources.chart_js, PackageResources.page_js,
        PackageResources.tables_js,
      ],
      "data": [Array(inScript(data.encoded).utf8)],
    ]
    for piece in String(decoding: PackageResources.report_html, as: UTF8.self).split(separator: "%%") {
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
