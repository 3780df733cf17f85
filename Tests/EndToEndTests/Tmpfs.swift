import Glibc
import SystemPackage
import TestSupport

/// Runs `body` with a file system of `size` (`4m`, tmpfs(5)) at `path`; only root can. What is in it is gone afterwards.
func withTmpfs(of size: String, at path: FilePath, _ body: () async throws -> Void) async throws {
  guard mount("tmpfs", path.string, "tmpfs", 0, "size=\(size),mode=0755") == 0 else {
    throw Errno(rawValue: errno)
  }
  try await unmounting(path, after: body)
}

/// Runs `body`, and takes the file system at `path` away, whatever became of it.
func unmounting(_ path: FilePath, after body: () async throws -> Void) async throws {
  defer { umount2(path.string, Int32(MNT_DETACH)) }
  try await body()
}
