import Glibc
import Jobs
import SystemPackage

/// Whose files a folder of results holds.
extension EarlierResults {
  /// The content of a folder.
  package enum Content: Equatable {
    /// The folder is empty, or does not exist.
    case nothing
    /// Files of a worker.
    case workers
    /// Only files that no worker made; the value is a name of one.
    case foreign(String)
  }

  func content(in descriptor: FileDescriptor) throws(Errno) -> Content {
    guard let entry = try firstName(in: descriptor, where: { _ in true }) else { return .nothing }
    if isFile(EarlierResults.reserve, in: descriptor) || holdsResult(descriptor) { return .workers }
    let log = try firstName(in: descriptor) {
      JobsDirectory.step(ofLog: $0) != nil && isFile($0, in: descriptor)
    }
    return log == nil ? .foreign(entry) : .workers
  }

  /// The reason why a folder is not a worker's.
  package static func reason(_ entry: String) -> String {
    "holds \(entry.quoted) and nothing that a worker made; it is where workers put what comes back, and no part of the job"
  }

  private func isFile(_ name: String, in folder: FileDescriptor) -> Bool {
    (try? status(of: name, in: folder)).map { $0.st_mode & S_IFMT == S_IFREG } ?? false
  }

  /// Whether its result.json is a worker's. Reads only the end, since the file may be long.
  private func holdsResult(_ folder: FileDescriptor) -> Bool {
    guard let file = try? openFile(JobsDirectory.result, in: folder) else { return false }
    defer { try? file.close() }
    guard let status = try? regularStatus(of: file) else { return false }
    let end = [UInt8](unsafeUninitializedCapacity: 1024) { buffer, count in
      count = max(0, pread(file.rawValue, buffer.baseAddress, 1024, max(0, status.st_size - 1024)))
    }
    let text = String(decoding: end, as: UTF8.self)
    return text.contains("\"workerId\"") && text.contains("\"workerVersion\"")
  }
}
