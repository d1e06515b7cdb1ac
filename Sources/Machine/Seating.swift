import CLinux
import Synchronization

/// Who has which slot while a pass lasts: a thread takes the free one nearest to where it is, stays on its processor,
/// and has its old affinity mask back when it leaves.
///
/// `@unchecked Sendable`: the masks are read only.
@safe final class Seating: @unchecked Sendable {
  struct Seat {
    let slot: Int
    let domain: Int
    fileprivate let isPinned: Bool
  }

  private let slots: Slots
  private let taken: UnsafeMutablePointer<Atomic<Bool>>
  /// The mask of the thread that called for the others: theirs as well, who may have inherited a single processor from a
  /// thread that had its seat when it made them.
  private let mask: clinux_cpu_mask
  private let pins: Bool

  init(_ slots: Slots) {
    self.slots = slots
    unsafe taken = .allocate(capacity: slots.count)
    for slot in 0..<slots.count { unsafe (taken + slot).initialize(to: Atomic(false)) }
    var mask = clinux_cpu_mask()
    // A caller that may not run everywhere has been told where to run since the slots were made.
    let isRead = unsafe clinux_read_mask(&mask) == 0
    pins =
      isRead && slots.arePinned
      && slots.processors.allSatisfy { processor in unsafe clinux_mask_has(&mask, Int32(processor)) != 0 }
    self.mask = mask
  }

  deinit {
    unsafe taken.deinitialize(count: slots.count)
    unsafe taken.deallocate()
  }

  /// - Parameter number: of the thread; its slot where the kernel places it.
  func take(_ number: Int) -> Seat {
    let wishes = slots.arePinned ? slots.nearest(to: Int(clinux_current_cpu())) : [number]
    guard let slot = wishes.first(where: { unsafe !taken[$0].exchange(true, ordering: .relaxed) }) else {
      preconditionFailure("more threads than slots")
    }
    guard let domain = slots.domains.firstIndex(where: { $0.slots.contains(slot) }) else {
      preconditionFailure("a slot of no domain")
    }
    let isPinned = pins && ThreadMask.narrow(to: slots.processors[slot])
    return Seat(slot: slot, domain: domain, isPinned: isPinned)
  }

  func leave(_ seat: Seat) {
    if seat.isPinned { _ = unsafe withUnsafePointer(to: mask) { unsafe clinux_write_mask($0) } }
  }
}

package enum ThreadMask {
  /// Lets the calling thread run on one processor alone; whether the system does.
  package static func narrow(to processor: Int) -> Bool { clinux_pin(Int32(processor)) == 0 }
}

extension Slots {
  /// The slots of this process's threads.
  ///
  /// - Parameter threads: how many.
  static func here(for threads: Int) -> Slots {
    Slots(for: threads, on: .current) {
      var mask = clinux_cpu_mask()
      let isRead = unsafe clinux_read_mask(&mask) == 0
      let isWritten = unsafe clinux_write_mask(&mask) == 0
      return isRead && isWritten
    }
  }
}
