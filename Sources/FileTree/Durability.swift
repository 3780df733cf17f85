import CLinux
import Glibc

/// Whether syncfs(2) makes everything durable that was written to the file system of an open file.
///
/// FUSE flushes to its daemon, but does not tell it to keep anything: there, only fsync reaches the server.
func hasTrueSyncfs(_ descriptor: Int32) -> Bool {
  let fuse: Int64 = 0x6573_5546
  return ![-1, fuse].contains(linux_file_system_of(descriptor))
}

/// Makes a file or folder durable (fsync(2)). Some file systems (CIFS, vboxsf, some FUSE ones) have none for folders, or none at
/// all, and say EINVAL: there is nothing more to be had there.
func sync(_ descriptor: Int32) throws(CallFailure) {
  do throws(CallFailure) {
    _ = try retrying(.sync) { fsync(descriptor) }
  } catch {
    if ![EINVAL, ENOTSUP, EOPNOTSUPP].contains(error.code) { throw error }
  }
}

/// Writes everything to the disk that waits to be written on the file system of an open file (syncfs(2)).
func syncFileSystem(of descriptor: Int32) throws(CallFailure) {
  _ = try retrying(.sync) { linux_syncfs(descriptor) }
}
