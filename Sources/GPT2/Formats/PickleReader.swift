import Machine

/// Reads a pickle without running anything: what it names beyond `Pickle.Function` and storages is refused.
///
/// - SeeAlso: github.com/python/cpython, Lib/pickletools.py.
struct PickleReader {
  struct Failure: Error {
    let offset: Int
    let expected: String
    let found: String
  }

  /// A hundred times what GPT-2 with its optimizer's state needs. Each byte may ask for some tens of memory.
  static let largestByteCount = 4 << 20

  private let bytes: [UInt8]
  private var position = 0
  private var stack: [Pickle.Value] = []
  /// Where the stack stood at each mark.
  private var marks: [Int] = []
  private var memo: [Int: Pickle.Value] = [:]
  private var pickle = Pickle()

  static func read(_ bytes: [UInt8]) throws(Failure) -> Pickle {
    var reader = PickleReader(bytes: bytes)
    return try reader.run()
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private mutating func run() throws(Failure) -> Pickle {
    while true {
      let code = try byte()
      if code == UInt8(ascii: ".") { break }
      if try readConstant(code) { continue }
      if try readContainer(code) { continue }
      if try readMemo(code) { continue }
      guard try readObject(code) else {
        throw failure(
          "an instruction of protocol 2 to 5 that builds data", "instruction \(code)", at: position - 1)
      }
    }
    pickle.root = try pop()
    return pickle
  }

  // MARK: - Numbers and texts

  private mutating func readConstant(_ code: UInt8) throws(Failure) -> Bool {
    switch code {
    case 0x80: try skip(1)  // PROTO
    case 0x95: try skip(8)  // FRAME
    case UInt8(ascii: "N"): stack.append(.none)
    case 0x88, 0x89: stack.append(.boolean(code == 0x88))
    case UInt8(ascii: "K"): stack.append(.integer(try unsigned(1)))
    case UInt8(ascii: "M"): stack.append(.integer(try unsigned(2)))
    case UInt8(ascii: "J"): stack.append(.integer(Int(Int32(truncatingIfNeeded: try unsigned(4)))))
    case 0x8A: try long(try unsigned(1))
    case 0x8B: try long(try unsigned(4))
    case UInt8(ascii: "G"): stack.append(.number(try double()))
    case 0x8C, UInt8(ascii: "U"): stack.append(.text(try text(try unsigned(1))))
    case UInt8(ascii: "X"), UInt8(ascii: "T"): stack.append(.text(try text(try unsigned(4))))
    case 0x8D: stack.append(.text(try text(try unsigned(8))))
    case UInt8(ascii: "C"): try opaque(try unsigned(1))
    case UInt8(ascii: "B"): try opaque(try unsigned(4))
    case 0x8E: try opaque(try unsigned(8))
    default: return false
    }
    return true
  }

  /// A signed integer of `count` bytes.
  private mutating func long(_ count: Int) throws(Failure) {
    guard count <= 8 else { return try opaque(count) }
    guard count > 0 else { return stack.append(.integer(0)) }
    let shift = 64 - 8 * count
    var bits: UInt64 = 0
    for index in 0..<count { bits |= UInt64(try byte()) << (8 * index) }
    stack.append(.integer(Int(Int64(bitPattern: bits << shift) >> shift)))
  }

  private mutating func double() throws(Failure) -> Double {
    var bits: UInt64 = 0
    for _ in 0..<8 { bits = bits << 8 | UInt64(try byte()) }
    return Double(bitPattern: bits)
  }

  private mutating func opaque(_ count: Int) throws(Failure) {
    try skip(count)
    stack.append(.opaque)
  }

  // MARK: - Lists, tuples, dictionaries

  private mutating func readContainer(_ code: UInt8) throws(Failure) -> Bool {
    switch code {
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: ")"): push(.tuple, [])
    case UInt8(ascii: "]"): push(.list, [])
    case UInt8(ascii: "}"): push(.dictionary, [])
    case 0x85, 0x86, 0x87: push(.tuple, try pop(Int(code - 0x84)))
    case UInt8(ascii: "t"): push(.tuple, try popToMark())
    case UInt8(ascii: "l"): push(.list, try popToMark())
    case UInt8(ascii: "d"): push(.dictionary, try popToMark())
    case UInt8(ascii: "a"): try append(try pop(1), to: .list)
    case UInt8(ascii: "e"): try append(try popToMark(), to: .list)
    case UInt8(ascii: "s"): try append(try pop(2), to: .dictionary)
    case UInt8(ascii: "u"): try append(try popToMark(), to: .dictionary)
    default: return false
    }
    return true
  }

  private mutating func push(_ kind: Pickle.Container.Kind, _ values: [Pickle.Value]) {
    pickle.containers.append(Pickle.Container(kind: kind, values: values))
    stack.append(.container(pickle.containers.count - 1))
  }

  private mutating func append(_ values: [Pickle.Value], to kind: Pickle.Container.Kind) throws(Failure) {
    guard case .container(let place) = stack.last, pickle.containers[place].kind == kind else {
      throw failure("a \(kind) to add to", stack.last?.kind ?? "nothing", at: position - 1)
    }
    pickle.containers[place].values += values
  }

  // MARK: - What is referred to again

  private mutating func readMemo(_ code: UInt8) throws(Failure) -> Bool {
    switch code {
    case UInt8(ascii: "q"): memo[try unsigned(1)] = try top()
    case UInt8(ascii: "r"): memo[try unsigned(4)] = try top()
    case 0x94: memo[memo.count] = try top()
    case UInt8(ascii: "h"): stack.append(try remembered(try unsigned(1)))
    case UInt8(ascii: "j"): stack.append(try remembered(try unsigned(4)))
    case UInt8(ascii: "0"): _ = try pop()
    default: return false
    }
    return true
  }

  private func remembered(_ number: Int) throws(Failure) -> Pickle.Value {
    guard let value = memo[number] else { throw failure("something kept as \(number)", "nothing") }
    return value
  }

  // MARK: - PyTorch's objects

  private mutating func readObject(_ code: UInt8) throws(Failure) -> Bool {
    switch code {
    case UInt8(ascii: "c"): stack.append(try global(try line(), try line()))
    case 0x93:
      let names = try pop(2)
      guard case .text(let module) = names[0], case .text(let name) = names[1] else {
        throw failure("the name of a class", names[1].kind)
      }
      stack.append(try global(module, name))
    case UInt8(ascii: "Q"): stack.append(try storage(try pop()))
    case UInt8(ascii: "R"):
      let parts = try pop(2)
      try call(parts[0], parts[1])
    case UInt8(ascii: "b"):
      // The state of a dictionary is its attributes, such as a state dictionary's _metadata.
      let parts = try pop(2)
      guard case .container(let place) = parts[0], pickle.containers[place].kind == .dictionary else {
        throw failure("a state of a dictionary", "one of \(parts[0].kind)")
      }
      stack.append(parts[0])
    default: return false
    }
    return true
  }

  private func global(_ module: String, _ name: String) throws(Failure) -> Pickle.Value {
    let global = "\(module) \(name)"
    if let function = Pickle.Function(rawValue: global) { return .function(function) }
    if let type = Pickle.NumberType.allCases.first(where: { $0.global == global }) {
      return .storageType(type)
    }
    throw failure(
      "tensors, dictionaries, lists, tuples, texts and numbers alone",
      "one that names \(module).\(name)".shortened)
  }

  /// ("storage", its type, its key, a device, its count)
  private mutating func storage(_ value: Pickle.Value) throws(Failure) -> Pickle.Value {
    guard case .container(let place) = value, pickle.containers[place].kind == .tuple,
      pickle.containers[place].values.count == 5,
      case .storageType(let type) = pickle.containers[place].values[1],
      case .text(let key) = pickle.containers[place].values[2],
      case .integer(let count) = pickle.containers[place].values[4], count >= 0
    else { throw failure("a storage's type, key and count", value.kind) }
    pickle.storages.append(Pickle.Storage(key: key, type: type, count: count))
    return .storage(pickle.storages.count - 1)
  }

  private mutating func call(_ function: Pickle.Value, _ arguments: Pickle.Value) throws(Failure) {
    guard case .function(let function) = function, case .container(let place) = arguments,
      pickle.containers[place].kind == .tuple
    else { throw failure("a function and its arguments", function.kind) }
    let values = pickle.containers[place].values
    switch function {
    case .orderedDictionary where values.isEmpty: push(.dictionary, [])
    case .rebuildParameter where !values.isEmpty: stack.append(values[0])
    case .rebuildTensor where values.count >= 4: stack.append(try tensor(values))
    default:
      throw failure("the arguments of \(function.rawValue)", "\(values.count) of them")
    }
  }

  private mutating func tensor(_ values: [Pickle.Value]) throws(Failure) -> Pickle.Value {
    guard case .storage(let storage) = values[0], case .integer(let offset) = values[1],
      let shape = pickle.integers(values[2]), let strides = pickle.integers(values[3])
    else { throw failure("a tensor's storage, offset, shape and strides", values[0].kind) }
    pickle.tensors.append(Pickle.Tensor(storage: storage, offset: offset, shape: shape, strides: strides))
    return .tensor(pickle.tensors.count - 1)
  }

  // MARK: - Bytes and the stack

  private mutating func byte() throws(Failure) -> UInt8 {
    guard position < bytes.count else { throw failure("an instruction more", "the end") }
    defer { position += 1 }
    return bytes[position]
  }

  private mutating func skip(_ count: Int) throws(Failure) {
    guard count <= bytes.count - position else { throw failure("\(count) bytes more", "the end") }
    position += count
  }

  /// Little-endian; one that no `Int` holds becomes the largest.
  private mutating func unsigned(_ count: Int) throws(Failure) -> Int {
    var bits: UInt64 = 0
    for index in 0..<count { bits |= UInt64(try byte()) << (8 * index) }
    return Int(clamping: bits)
  }

  private mutating func text(_ count: Int) throws(Failure) -> String {
    let start = position
    try skip(count)
    return String(decoding: bytes[start..<start + count], as: UTF8.self)
  }

  private mutating func line() throws(Failure) -> String {
    guard let end = bytes[position...].firstIndex(of: 0x0A) else {
      throw failure("the end of a line", "none")
    }
    return try text(end - position, andSkip: 1)
  }

  private mutating func text(_ count: Int, andSkip more: Int) throws(Failure) -> String {
    let text = try text(count)
    try skip(more)
    return text
  }

  private func top() throws(Failure) -> Pickle.Value {
    guard let value = stack.last else { throw failure("something on the stack", "nothing") }
    return value
  }

  private mutating func pop() throws(Failure) -> Pickle.Value { try pop(1)[0] }

  private mutating func pop(_ count: Int) throws(Failure) -> [Pickle.Value] {
    guard stack.count - (marks.last ?? 0) >= count else { throw failure("\(count) values", "fewer") }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popToMark() throws(Failure) -> [Pickle.Value] {
    guard let mark = marks.popLast() else { throw failure("a mark", "none") }
    defer { stack.removeLast(stack.count - mark) }
    return Array(stack[mark...])
  }

  private func failure(_ expected: String, _ found: String, at offset: Int? = nil) -> Failure {
    Failure(offset: offset ?? position, expected: expected, found: found)
  }
}
