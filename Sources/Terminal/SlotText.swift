import Machine

/// Where the threads of a pass are, in words.
package enum SlotText {
  /// "slot 3, processor 3, domain 0, node 0"; "slot 3" where the kernel places it.
  package static func place(of slot: Int, in slots: Slots) -> String {
    guard slots.arePinned, let domain = slots.domains.firstIndex(where: { $0.slots.contains(slot) }) else {
      return "slot \(slot)"
    }
    return
      "slot \(slot), processor \(slots.processors[slot]), domain \(domain), node \(slots.domains[domain].node)"
  }
}
