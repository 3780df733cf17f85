import Foundation
import Glibc
import SystemPackage
import TestSupport

/// Mounts that a worker must not cross.
extension Scene {
  /// A folder with files outside, which must never change.
  func precious() throws -> FilePath {
    let folder = files.appending("precious")
    try write("1", folder.appending("file"))
    try write("2", folder.appending("deep/er/file"))
    return folder
  }

  /// Its content.
  static let preciousListing: Set<String> = ["file", "deep/", "deep/er/", "deep/er/file"]

  /// Unmounts everything below the scene's folders, so that the test's own cleanup crosses no mount either.
  func unmountAll() {
    // A file of /proc has no size, and a String made of one ends after its first page.
    let bytes = try? FileHandle(forReadingAtPath: "/proc/self/mounts")?.readToEnd()
    let mounts = String(decoding: bytes ?? Data(), as: UTF8.self)
    for line in mounts.split(separator: "\n").reversed() {
      let place = line.split(separator: " ")[1]
      if place.hasPrefix("\(root)/") { umount2(String(place), Int32(MNT_DETACH)) }
    }
  }
}
