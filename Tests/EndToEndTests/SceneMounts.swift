import Foundation
import Glibc
import SystemPackage
import TestSupport

/// Mounts where a worker must not go.
extension Scene {
  /// A folder outside, with files, that must be as it was whatever happens.
  func precious() throws -> FilePath {
    let folder = files.appending("precious")
    try write("1", folder.appending("file"))
    try write("2", folder.appending("deep/er/file"))
    return folder
  }

  /// What is in it.
  static let preciousListing: Set<String> = ["file", "deep/", "deep/er/", "deep/er/file"]

  /// Takes away what is mounted below the scene's folders, so that nothing of the test's own clean-up crosses it either.
  func unmountAll() {
    let mounts = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
    for line in mounts.split(separator: "\n").reversed() {
      let place = line.split(separator: " ")[1]
      if place.hasPrefix("\(root)/") { umount2(String(place), Int32(MNT_DETACH)) }
    }
  }
}
