/// Finds the word that somebody meant who mistyped it.
package enum Spelling {
  /// Longer words are nobody's typing errors; a sender may write keys of any length.
  private static let longest = 40

  /// The candidate with the fewest typing errors, if they are at most two and less than half of the word.
  package static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
    guard word.utf8.count <= longest else { return nil }
    return candidates.map { (name: $0, distance: distance(word, $0)) }.filter {
      $0.distance <= 2 && $0.distance * 2 < word.count
    }
    .min { $0.distance < $1.distance }?.name
  }

  /// The number of letters to insert, remove, replace, or exchange with their neighbour (optimal string alignment).
  private static func distance(_ first: String, _ second: String) -> Int {
    let (a, b) = (Array(first.utf8), Array(second.utf8))
    var rows = [Array(0...b.count)]
    for i in a.indices {
      var row = [i + 1]
      for j in b.indices {
        let replaced = rows[i][j] + (a[i] == b[j] ? 0 : 1)
        var least = min(replaced, rows[i][j + 1] + 1, row[j] + 1)
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, rows[i - 1][j - 1] + 1) }
        row.append(least)
      }
      rows.append(row)
    }
    return rows[a.count][b.count]
  }
}
