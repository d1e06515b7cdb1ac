import Machine
import Testing

/// Who ran what, and when.
struct RecorderTests {
  /// Every task is somebody's, within its region's pass.
  @Test(arguments: TeamTests.slots)
  func partsMakeUpTheirRegions(_ slots: Slots) {
    let (parallel, recorder) = (Parallel(slots: slots), Recorder(slots: slots.count))
    for pass in 0..<20 {
      recorder.begin(passes: "pass \(pass)")
      parallel.together(recorder: recorder) { team in
        for region in 0..<50 {
          recorder.begin(section: "section \(region / 10)")
          parallel.forEach(region % 9, team: team) { _, _ in }
        }
      }
    }
    #expect(recorder.passes.map(\.name) == (0..<20).map { "pass \($0)" })
    // Regions of no task are none: six of fifty.
    #expect(recorder.passes.map(\.regions.count) == [Int](repeating: 44, count: 20))
    var counts = [Int](repeating: 0, count: recorder.regions.count)
    var pass = [Int](repeating: 0, count: recorder.regions.count)
    for (number, each) in recorder.passes.enumerated() {
      for region in each.regions { pass[region] = number }
    }
    for slot in 0..<slots.count {
      var last = 0
      for part in recorder.parts(slot: slot) {
        counts[part.region] += part.tasks
        let (own, time) = (recorder.passes[pass[part.region]], part.start...part.end)
        #expect(time.lowerBound >= last && time.lowerBound >= recorder.regions[part.region].start)
        #expect(time.upperBound <= own.end && (0...part.tasks).contains(part.stolen))
        last = time.upperBound
      }
    }
    #expect(counts == recorder.regions.map(\.tasks))
    for (region, number) in zip(recorder.regions, pass) {
      #expect(region.start >= recorder.passes[number].start && region.end <= recorder.passes[number].end)
      #expect(region.section.hasPrefix("section "))
    }
  }

  /// Whatever passes are: memory is bounded.
  @Test func whatIsFullTakesNoOtherPass() {
    let (parallel, recorder) = (Parallel(threads: 2), Recorder(slots: 2, parts: 20))
    var ran = 0
    for _ in 0..<5 {
      parallel.together(recorder: recorder) { team in
        for _ in 0..<6 { parallel.forEach(4, team: team) { _, _ in } }
        ran += 1
      }
    }
    // Ten regions are enough: the second pass begins with six, the third would with twelve.
    #expect(ran == 5 && recorder.isFull && recorder.passes.count == 2 && recorder.regions.count == 12)
  }
}
