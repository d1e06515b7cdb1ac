/// What a pickle builds: numbers, texts, lists, tuples and dictionaries, and PyTorch's tensors.
struct Pickle {
  /// Containers, tensors and storages are places in the pickle's arrays, so that nothing is nested, however deep a pickle
  /// goes, and what refers to one thing twice shares it.
  enum Value {
    case none
    case boolean(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    /// What nobody asks for, such as bytes and integers beyond 64 bits.
    case opaque
    case function(Function)
    case storageType(NumberType)
    case container(Int)
    case storage(Int)
    case tensor(Int)
  }

  /// The functions that a pickle may call; none is run.
  enum Function: String, CaseIterable {
    case orderedDictionary = "collections OrderedDict"
    case rebuildTensor = "torch._utils _rebuild_tensor_v2"
    case rebuildParameter = "torch._utils _rebuild_parameter"
  }

  /// Of a storage; the raw value is safetensors' name.
  enum NumberType: String, CaseIterable {
    case float64 = "F64"
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int64 = "I64"
    case int32 = "I32"
    case int16 = "I16"
    case int8 = "I8"
    case uint8 = "U8"
    case boolean = "BOOL"

    /// The class that a pickle names it by.
    var global: String {
      let name =
        switch self {
        case .float64: "Double"
        case .float32: "Float"
        case .float16: "Half"
        case .bfloat16: "BFloat16"
        case .int64: "Long"
        case .int32: "Int"
        case .int16: "Short"
        case .int8: "Char"
        case .uint8: "Byte"
        case .boolean: "Bool"
        }
      return "torch \(name)Storage"
    }

    var byteCount: Int {
      switch self {
      case .float64, .int64: 8
      case .float32, .int32: 4
      case .float16, .bfloat16, .int16: 2
      case .int8, .uint8, .boolean: 1
      }
    }
  }

  struct Container {
    enum Kind { case tuple, list, dictionary }
    let kind: Kind
    /// Of a dictionary keys and values in turns.
    var values: [Value] = []
  }

  struct Storage {
    let key: String
    let type: NumberType
    /// Of numbers.
    let count: Int
  }

  struct Tensor {
    /// A place among the storages.
    let storage: Int
    /// Of the first number, in numbers.
    let offset: Int
    let shape: [Int]
    let strides: [Int]
  }

  var root = Value.none
  var containers: [Container] = []
  var storages: [Storage] = []
  var tensors: [Tensor] = []
}

extension Pickle {
  /// The members of a dictionary whose keys are texts, in their order; others are left out. nil for other values.
  func members(_ value: Value) -> [(name: String, value: Value)]? {
    guard case .container(let place) = value, containers[place].kind == .dictionary else { return nil }
    let values = containers[place].values
    return stride(from: 0, to: values.count - 1, by: 2).compactMap { index in
      if case .text(let name) = values[index] { (name, values[index + 1]) } else { nil }
    }
  }

  /// The last of the members of this name.
  func member(_ name: String, of value: Value) -> Value? { members(value)?.last { $0.name == name }?.value }

  /// The integers of a tuple or a list; nil for other values.
  func integers(_ value: Value) -> [Int]? {
    guard case .container(let place) = value, containers[place].kind != .dictionary else { return nil }
    var integers: [Int] = []
    for value in containers[place].values {
      guard case .integer(let integer) = value else { return nil }
      integers.append(integer)
    }
    return integers
  }
}

extension Pickle.Value {
  /// For errors.
  var kind: String {
    switch self {
    case .none: "None"
    case .boolean(let value): value ? "True" : "False"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .text(let text): "'\(text.shortened)'"
    case .opaque: "something else"
    case .function(let function): function.rawValue
    case .storageType(let type): type.global
    case .container: "a list, a tuple or a dictionary"
    case .storage: "a storage"
    case .tensor: "a tensor"
    }
  }
}
