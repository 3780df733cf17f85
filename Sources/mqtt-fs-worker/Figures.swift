import Jobs

/// Bytes as people write them, as in `1.5 MiB`.
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

/// How long something took, as in `120 ms`, `2.5 s`, `1h30m`.
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
