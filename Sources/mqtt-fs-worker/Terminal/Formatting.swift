import Jobs

/// Bytes for people, as in `1.5 MiB`.
func bytesText(_ bytes: Int64) -> String {
  let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
  var value = Double(bytes)
  var unit = 0
  while value >= 1024, unit < units.count - 1 {
    value /= 1024
    unit += 1
  }
  guard unit > 0 else { return "\(bytes) B" }
  // 2^63 bytes are 8192 PiB.
  let tenths = Int(value * 10)
  return "\(tenths / 10).\(tenths % 10) \(units[unit])"
}

/// A duration for people, as in `120 ms`, `2.5 s`, `1h30m`.
func durationText(milliseconds: Int) -> String {
  if milliseconds < 1000 { return "\(milliseconds) ms" }
  if milliseconds < 60_000 { return "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s" }
  return Duration.seconds(milliseconds / 1000).jobText
}

extension Duration {
  /// The largest unit that fits, as in `42s`, `7m`, `3h`, `2d`.
  var shortText: String {
    let seconds = max(0, components.seconds)
    switch seconds {
    case ..<60: return "\(seconds)s"
    case ..<3600: return "\(seconds / 60)m"
    case ..<86400: return "\(seconds / 3600)h"
    default: return "\(seconds / 86400)d"
    }
  }
}

/// Rows of cells as lines in columns. A column with only a header is left out.
struct TextTable {
  private let rows: [[String]]

  /// Rows of the same length, the first of them the header.
  init(_ rows: [[String]]) {
    self.rows = rows
  }

  var text: String {
    let columns = rows.first?.indices ?? 0..<0
    let widths = columns.map { column in
      rows.dropFirst().contains { !$0[column].isEmpty } ? rows.map { $0[column].count }.max() ?? 0 : 0
    }
    return rows.map { row in
      var text = ""
      for (cell, width) in zip(row, widths) where width > 0 {
        text += cell + String(repeating: " ", count: width - cell.count + 2)
      }
      while text.last == " " { text.removeLast() }
      return text + "\n"
    }.joined()
  }
}

extension String {
  /// Padded with spaces to `width` characters.
  func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}

/// A value as indented JSON, keys sorted, with a newline at the end.
func jsonText(_ value: some Encodable) throws -> String {
  String(decoding: try indentedJSON(value), as: UTF8.self)
}
