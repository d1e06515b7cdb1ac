import JSON
import Terminal

/// The page of training runs.
enum ReportPage {
  static func bytes(_ data: JSONText) -> [UInt8] {
    HTMLPage(
      title: "Training report", body: PackageResources.report_html, style: PackageResources.report_css,
      scripts: [PackageResources.chart_js, PackageResources.page_js, PackageResources.tables_js]
    ).bytes(data)
  }
}
