import Glibc
package import SystemPackage

/// The first name in an open folder of which `isIt` says so; `nil` when there is none. What is no UTF-8 is repaired.
///
/// The folder is listed anew each time. Throws what openat(2) and readdir(3) answer.
package func firstName(in folder: FileDescriptor, where isIt: (String) -> Bool) throws(Errno) -> String? {
  let listing = openat(folder.rawValue, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard listing >= 0 else { throw Errno(rawValue: Glibc.errno) }
  guard let stream = fdopendir(listing) else {
    let cause = Errno(rawValue: Glibc.errno)
    close(listing)
    throw cause
  }
  defer { closedir(stream) }
  while true {
    // An error in the middle is no end.
    Glibc.errno = 0
    guard let entry = readdir(stream) else {
      guard Glibc.errno == 0 else { throw Errno(rawValue: Glibc.errno) }
      return nil
    }
    let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if name != ".", name != "..", isIt(name) { return name }
  }
}
