/// The entries of a tree that count: those that `include` selects, less those that `exclude` does.
///
/// A folder that `exclude` matches is not entered, so nothing below it can be negated. `include` selects an entry if its
/// patterns match the entry or, where they say nothing about it, the folder above it. Folders that may contain selected
/// entries are entered.
public struct Selection: Sendable {
  /// All entries.
  public static let all = Selection()

  private let include: Patterns?
  private let exclude: Patterns

  /// The verdict on an entry.
  enum Verdict: Sendable {
    case selected
    /// A folder that is entered only for what it may contain.
    case entered
    case left
  }

  /// Creates a selection; without `include` it begins with all entries.
  public init(include: Patterns? = nil, exclude: Patterns = .none) {
    self.include = include
    self.exclude = exclude
  }

  /// Whether it selects all entries, so that no verdict is needed.
  var isAll: Bool { include == nil && exclude.isEmpty }

  /// The verdict on the root.
  var root: Verdict { include == nil ? .selected : .entered }

  /// Whether it selects the file or symlink at `path`.
  func selects(_ path: RelativePath) -> Bool {
    if isAll { return true }
    var verdict = root
    for end in path.bytes.indices where path.bytes[end] == UInt8(ascii: "/") {
      verdict = self.verdict(on: RelativePath(bytes: Array(path.bytes[..<end])), isFolder: true, in: verdict)
      if verdict == .left { return false }
    }
    return self.verdict(on: path, isFolder: false, in: verdict) == .selected
  }

  func verdict(on path: RelativePath, isFolder: Bool, in folder: Verdict) -> Verdict {
    if exclude.verdict(on: path, isFolder: isFolder) == .matched { return .left }
    guard let include else { return .selected }
    switch include.verdict(on: path, isFolder: isFolder) {
    case .matched: return .selected
    case .unmatched where folder == .selected: return .selected
    case .negated, .unmatched: return isFolder && include.mayMatch(below: path) ? .entered : .left
    }
  }
}
