import Glibc
import SystemPackage
import TestSupport

/// Runs `body` with a file system of `size` (`4m`, tmpfs(5)) at `path`; only root can. Its content is lost afterwards.
func withTmpfs(of size: String, at path: FilePath, _ body: () async throws -> Void) async throws {
  guard mount("tmpfs", path.string, "tmpfs", 0, "size=\(size),mode=0755") == 0 else {
    throw Errno(rawValue: errno)
  }
  try await unmounting(path, after: body)
}

/// Runs `body`, and always unmounts the file system at `path` afterwards.
func unmounting(_ path: FilePath, after body: () async throws -> Void) async throws {
  defer { umount2(path.string, Int32(MNT_DETACH)) }
  try await body()
}
