import Machine
import Terminal

/// Whether others had the machine while something was measured.
struct Disturbance {
  /// The share of the processors' time that others took; nil where the system does not tell.
  let othersShare: Double?
  private let isScattered: Bool

  /// A quiet machine has its own housekeeping: some percent.
  private static let largestShare = 0.1

  /// - Parameter start: when the measuring began.
  init(since start: ProcessorTime?, peak: Peak) {
    othersShare = start.flatMap { start in ProcessorTime.now?.shareOfOthers(since: start) }
    isScattered = peak.isDisturbed
  }

  var isDisturbed: Bool { isScattered || (othersShare ?? 0) > Self.largestShare }

  /// What disturbed; nil: nothing did.
  var cause: String? {
    guard isDisturbed else { return nil }
    guard let othersShare, othersShare > Self.largestShare else {
      return "half of the samples of the peak took more than 1.5 times the fastest's time"
    }
    return "others took \(NumberText.fixed(100 * othersShare, 0)) % of the processors' time"
  }
}
