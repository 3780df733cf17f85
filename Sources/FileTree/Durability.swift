import CLinuxFiles
import Glibc

/// Whether syncfs(2) makes everything durable that was written to the file system of an open file.
///
/// FUSE flushes to its daemon, but does not tell it to keep anything: there, only fsync reaches the server.
func hasTrueSyncfs(_ descriptor: Int32) -> Bool {
  let fuse = 0x6573_5546
  var information = statfs()
  return fstatfs(descriptor, &information) == 0 && Int(information.f_type) != fuse
}

/// Writes everything to the disk that waits to be written on the file system of an open file (syncfs(2)).
func syncFileSystem(of descriptor: Int32) throws(CallFailure) {
  _ = try retrying(.sync) { syncfs(descriptor) }
}
