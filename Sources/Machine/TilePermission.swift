import CLinux

/// The use of AMX's tiles, which Linux grants to a process that asks: it then keeps 8 KB more for each thread that has
/// executed one of their instructions, and longer frames of signals.
package enum TilePermission {
  /// Asks for it, for all threads; asking again is harmless.
  ///
  /// - Returns: nil, or the system's words for why not.
  package static func request() -> String? {
    let error = clinux_request_tiles()
    return error == 0 ? nil : systemErrorText(error)
  }
}
