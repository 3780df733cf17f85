import CLinux

/// What openat2(2) refuses on its way to a file.
package struct Resolution: OptionSet, Sendable {
  package let rawValue: UInt64

  package init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// To lead out of the folder, or over links of proc(5) that are none.
  package static let beneath = Resolution(rawValue: UInt64(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS))
  /// Symbolic links.
  package static let noLinks = Resolution(rawValue: UInt64(RESOLVE_NO_SYMLINKS))
  /// To go from one mount to another.
  package static let oneMount = Resolution(rawValue: UInt64(RESOLVE_NO_XDEV))
}

/// openat2(2), Linux 5.6: opens `path` below `folder`. -1 with errno; ENOSYS, or EPERM in some containers, where there is no such
/// call.
@inline(__always)
package func openat2(
  _ folder: Int32, _ path: UnsafePointer<CChar>, _ flags: Int32, mode: UInt32 = 0, _ resolution: Resolution
) -> Int32 {
  var how = open_how(flags: UInt64(flags), mode: UInt64(mode), resolve: resolution.rawValue)
  return linux_openat2(folder, path, &how)
}
