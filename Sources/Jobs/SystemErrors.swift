package import SystemPackage

extension Errno {
  /// Whether it says that there is no such file any more. Everything else (EIO, ETIMEDOUT, EACCES…) says that this time nothing
  /// could be learned.
  package var saysGone: Bool { self == .noSuchFileOrDirectory || self == .staleNFSFileHandle }

  /// What an untyped function of swift-system threw, which throws nothing else.
  package init(_ error: any Error) { self = error as? Errno ?? .ioError }
}

extension FileDescriptor {
  /// Writes all of the bytes where the file stands (write(2)).
  package func store(_ bytes: some Sequence<UInt8>) throws(Errno) {
    do {
      _ = try writeAll(bytes)
    } catch {
      throw Errno(error)
    }
  }

  /// Writes all of the bytes from `offset` on (pwrite(2)).
  package func store(_ bytes: some Sequence<UInt8>, at offset: Int64) throws(Errno) {
    do {
      _ = try writeAll(toAbsoluteOffset: offset, bytes)
    } catch {
      throw Errno(error)
    }
  }
}
