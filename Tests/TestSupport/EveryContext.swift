import Operators

/// Runs `body` with every instruction set that the machine has, on 1, 2 and 3 threads.
public func withEveryContext(_ body: (ExecutionContext) throws -> Void) throws {
  for set in InstructionSet.available {
    for threads in 1...3 { try body(ExecutionContext(threads: threads, instructionSet: set)) }
  }
}
