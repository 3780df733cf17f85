import Glibc
import SystemPackage
import TestSupport

/// Runs `body` with a file system of `size` (`4m`, tmpfs(5)) at `path`; only root can. What is in it is gone afterwards.
func withTmpfs(of size: String, at path: FilePath, _ body: () async throws -> Void) async throws {
  guard mount("tmpfs", path.string, "tmpfs", 0, "size=\(size),mode=0755") == 0 else {
    throw Errno(rawValue: errno)
  }
  do {
    try await body()
  } catch {
    umount2(path.string, Int32(MNT_DETACH))
    throw error
  }
  umount2(path.string, Int32(MNT_DETACH))
}
