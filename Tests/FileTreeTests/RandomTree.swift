import FileTree
import Foundation

/// SplitMix64: the same numbers for the same seed, so that a failing test can be run again.
struct SeededNumbers: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// Makes a random tree below a folder, and random edits in one.
struct RandomTree {
  let root: String
  var numbers: SeededNumbers

  init(_ root: String, seed: UInt64) {
    self.root = root
    numbers = SeededNumbers(state: seed)
  }

  mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &numbers) < percent }

  mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &numbers) }

  mutating func name() -> [UInt8] {
    let odd: [[UInt8]] = [
      [0xE9, 0x74, 0xE9], Array("new\nline".utf8), Array(" space ".utf8), Array("-rf".utf8), Array("*".utf8),
      Array("日本".utf8), Array(#"back\slash"#.utf8), Array(".hidden".utf8), [0xFF], Array(repeating: 0x78, count: 255),
    ]
    return chance(15) ? odd.randomElement(using: &numbers)! : Array("n\(number(0...400))".utf8)
  }

  mutating func data() -> Data {
    let size = chance(10) ? number(60_000...200_000) : chance(15) ? 0 : number(1...6000)
    var data = Data(repeating: UInt8(number(0...255)), count: size)
    if size > 10 { data[number(0...(size - 1))] ^= 0x55 }
    return data
  }

  mutating func makeTree() {
    var folders: [[UInt8]] = [[]]
    for _ in 0..<number(3...60) {
      let folder = folders.randomElement(using: &numbers)!
      let path = folder.isEmpty ? name() : folder + [0x2F] + name()
      switch number(0...9) {
      case 0...2 where makeFolder(path): folders.append(path)
      case 3: makeSymlink(path)
      case 4: makeSparse(path)
      case 5 where chance(30): mkfifo(full(path), 0o644)
      default: makeFile(path)
      }
    }
    // Last, when the tree is complete: read-only folders, and old times.
    for folder in folders.dropFirst().reversed() where chance(30) {
      chmod(full(folder), [0o555, 0o700, 0o1777, 0o2755].randomElement(using: &numbers)!)
      setTime(folder)
    }
  }

  mutating func makeFolder(_ path: [UInt8]) -> Bool { mkdir(full(path), 0o755) == 0 }

  mutating func makeFile(_ path: [UInt8]) {
    guard write(data(), path) else { return }
    if chance(40) {
      chmod(full(path), [0o600, 0o755, 0o444, geteuid() == 0 ? 0o000 : 0o400, 0o4755].randomElement(using: &numbers)!)
    }
    if chance(40) { setTime(path) }
  }

  mutating func makeSymlink(_ path: [UInt8]) {
    symlink(
      ["n1", "nowhere", "../n2", "/etc/hosts", "../../../..", ".", "a/../../.."].randomElement(using: &numbers)!,
      full(path))
  }

  mutating func makeSparse(_ path: [UInt8]) {
    guard write(Data(), path) else { return }
    let size = number(1...5_000_000)
    truncate(full(path), off_t(size))
    if chance(70), let file = fopen(full(path), "r+") {
      fseek(file, number(0...size), SEEK_SET)
      fputs("data in the middle", file)
      fclose(file)
    }
  }

  mutating func setTime(_ path: [UInt8]) {
    let time = timespec(tv_sec: number(0...2_000_000_000), tv_nsec: number(0...999_999_999))
    utimensat(AT_FDCWD, full(path), [time, time], AT_SYMLINK_NOFOLLOW)
  }

  func write(_ data: Data, _ path: [UInt8]) -> Bool {
    // Never through a symlink out of the tree.
    let file = open(full(path), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK, 0o644)
    guard file >= 0 else { return false }
    _ = data.withUnsafeBytes { Foundation.write(file, $0.baseAddress, data.count) }
    close(file)
    return true
  }

  func full(_ path: [UInt8]) -> [CChar] {
    (Array(root.utf8) + [0x2F] + path).map { CChar(bitPattern: $0) } + [0]
  }
}

extension RandomTree {
  /// Changes a staged tree as a job might.
  mutating func edit() throws {
    for _ in 0..<number(0...12) {
      let tree = try TestTree(root)
      // In an order that does not depend on the process.
      let paths = tree.nodes.keys.sorted()
      let folders = [[UInt8]()] + paths.compactMap { if case .folder = tree.nodes[$0] { $0.bytes } else { nil } }
      let folder = folders.randomElement(using: &numbers)!
      let new = folder.isEmpty ? name() : folder + [0x2F] + name()
      guard let path = paths.randomElement(using: &numbers) else { return makeFile(new) }
      edit(path.bytes, tree.nodes[path]!, new)
    }
  }

  private mutating func edit(_ path: [UInt8], _ node: TestTree.Node, _ new: [UInt8]) {
    switch (number(0...10), node) {
    case (0, _): makeFile(new)
    case (1, _): _ = makeFolder(new)
    case (2, _): makeSymlink(new)
    case (3, _): removeAll(path)
    case (4, _): rename(full(path), full(new))
    case (5, .file(let content, _, _)) where !content.isEmpty:
      // The same size, and sometimes the same time.
      var other = content
      other[number(0...(content.count - 1))] ^= 1
      overwrite(other, path, keepTime: chance(50))
    case (6, .file(let content, _, _)): overwrite(content, path, keepTime: false)
    case (7, .file), (7, .folder): chmod(full(path), mode_t(number(0o500...0o777)) | 0o500)
    case (8, .symlink), (8, .file):
      removeAll(path)
      if chance(50) { makeSymlink(path) } else if makeFolder(path) { makeFile(path + [0x2F, 0x61]) }
    case (9, .folder):
      removeAll(path)
      makeFile(path)
    case (10, _) where chance(30):
      removeAll(path)
      mkfifo(full(path), 0o644)
    default: setTime(path)
    }
  }

  private func overwrite(_ data: Data, _ path: [UInt8], keepTime: Bool) {
    var status = stat()
    lstat(full(path), &status)
    _ = write(data, path)
    if keepTime { utimensat(AT_FDCWD, full(path), [status.st_atim, status.st_mtim], AT_SYMLINK_NOFOLLOW) }
  }

  private func removeAll(_ path: [UInt8]) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/rm")
    // Process accepts text only; names that are not UTF-8 are removed by unlink and rmdir alone.
    guard let text = String(validating: Array(root.utf8) + [0x2F] + path, as: UTF8.self) else {
      if unlink(full(path)) != 0 { rmdir(full(path)) }
      return
    }
    process.arguments = ["-rf", "--", text]
    try? process.run()
    process.waitUntilExit()
  }
}
