/// Rows of cells as lines in columns. A column with only a header is left out.
struct TextTable {
  private let rows: [[String]]

  /// Rows of the same length, the first of them the header.
  init(_ rows: [[String]]) {
    self.rows = rows
  }

  var text: String { lines.map { "\($0)\n" }.joined() }

  /// The lines, without their ends.
  var lines: [String] {
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
      return text
    }
  }
}
