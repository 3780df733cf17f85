/// What an examination found about one property of a broker or a volume.
package struct Finding: Codable, Equatable, Sendable {
  /// Of what.
  package enum Subject: String, Codable, Sendable, CaseIterable { case broker, volume, workspaces }

  /// What was found.
  package enum Verdict: String, Codable, Sendable {
    /// It has the property.
    case yes
    /// It has not.
    case no
    /// That could not be seen; the detail says why.
    case unknown
  }

  /// What the property is worth.
  package enum Weight: String, Codable, Sendable {
    /// Without it jobs can be lost, or nothing works.
    case needed
    /// Without it something is slower, or a comfort is missing.
    case wanted
  }

  /// Whose property it is.
  package var subject: Subject
  /// Its name.
  package var name: String
  /// Whether it is there.
  package var verdict: Verdict
  /// What it is worth.
  package var weight: Weight
  /// What was seen, and what it means.
  package var detail: String

  /// Whether this is a reason not to use what was examined.
  package var isFatal: Bool { weight == .needed && verdict != .yes }
}

/// What an examination knows of a property: how it is called, what it is worth, and what it means not to have it.
struct Property: Sendable {
  package let subject: Finding.Subject
  package let name: String
  let weight: Finding.Weight
  /// What it means that it is there, and that it is not.
  package let present: String
  let absent: String

  package func finding(_ has: Bool, _ seen: String = "") -> Finding {
    let meaning = has ? present : absent
    return Finding(
      subject: subject, name: name, verdict: has ? .yes : .no, weight: weight,
      detail: seen.isEmpty ? meaning : "\(seen): \(meaning)")
  }

  package func unknown(_ reason: String) -> Finding {
    Finding(subject: subject, name: name, verdict: .unknown, weight: weight, detail: reason)
  }
}
