package import SystemPackage

extension Errno {
  /// Whether the file does not exist any more. Every other error (EIO, ETIMEDOUT, EACCES…) leaves that open.
  package var saysGone: Bool { self == .noSuchFileOrDirectory || self == .staleNFSFileHandle }

  /// An error from an untyped function of swift-system, which throws only `Errno`.
  package init(_ error: any Error) { self = error as? Errno ?? .ioError }
}

extension FileDescriptor {
  /// Writes all bytes at the file's position (write(2)).
  package func store(_ bytes: some Sequence<UInt8>) throws(Errno) {
    do {
      _ = try writeAll(bytes)
    } catch {
      throw Errno(error)
    }
  }

  /// Writes all bytes at `offset` (pwrite(2)).
  package func store(_ bytes: some Sequence<UInt8>, at offset: Int64) throws(Errno) {
    do {
      _ = try writeAll(toAbsoluteOffset: offset, bytes)
    } catch {
      throw Errno(error)
    }
  }
}
