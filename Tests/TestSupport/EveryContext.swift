import Machine
import Operators

/// Calls `body` with every instruction set of this machine on one, two and three threads, and in domains.
public func withEveryContext(_ body: (ExecutionContext) throws -> Void) throws {
  for set in InstructionSet.available {
    for threads in 1...3 { try body(ExecutionContext(threads: threads, instructionSet: set)) }
  }
  try body(.inDomains())
}

extension ExecutionContext {
  /// Seven threads in the domains of a machine of four nodes, the last of which has one: tasks have homes there, are
  /// stolen, and follow each other otherwise than in one domain.
  package static func inDomains() throws -> ExecutionContext {
    let slots = Slots(pinned: 7, on: .simulated(nodes: 4, coresPerCache: 2))
    return try ExecutionContext(threads: 7, instructionSet: .best, slots: slots)
  }
}
