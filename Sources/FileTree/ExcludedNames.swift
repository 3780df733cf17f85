import Glibc

/// The names that are left out at the top of a tree.
struct ExcludedNames {
  private let names: [[CChar]]

  init(_ names: Set<String>) {
    self.names = names.map { $0.utf8CString.map { $0 } }
  }

  func contains(_ name: FileName) -> Bool {
    names.contains { strcmp($0, name) == 0 }
  }
}
