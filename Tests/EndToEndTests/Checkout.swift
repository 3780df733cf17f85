import Foundation
import Glibc
import SystemPackage
import TestSupport

/// The repository that the tests were built from, and the programs that are installed beside it.
enum Checkout {
  static let root = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()

  /// Python with the packages that `.ci/python-packages` installs; `nil` if they are missing.
  static var python: FilePath? {
    let python = root.pushing(FilePath(".build/python/bin/python3"))
    let isComplete = FileManager.default.fileExists(atPath: root.pushing(FilePath(".build/python/wanted")).string)
    return isComplete && access(python.string, X_OK) == 0 ? python : nil
  }

  static func hasProgram(_ name: String) -> Bool {
    (try? installed(name)) != nil
  }
}
