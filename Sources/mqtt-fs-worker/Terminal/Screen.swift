import Glibc
import Jobs
import Settings

/// The terminal on stdout, if it is one: its width, and whether it shows colours.
struct Screen {
  /// The number of columns.
  let width: Int
  private let hasColour: Bool

  /// `nil` if stdout is no terminal: then a program reads it.
  init?(_ environment: Environment = .current) {
    guard isatty(STDOUT_FILENO) == 1 else { return nil }
    var size = winsize()
    // TIOCGWINSZ (ioctl_tty(2)); 0 columns if nobody has said how many.
    width = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    // https://no-color.org
    hasColour = (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
  }

  /// The colours of states (ECMA-48, SGR).
  enum Colour: Int {
    case red = 31
    case green = 32
    case yellow = 33
    case cyan = 36
  }

  func painted(_ text: String, _ colour: Colour?) -> String {
    guard hasColour, let colour else { return text }
    return "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m"
  }
}

extension Screen.Colour {
  /// The colour of a job; `nil` for one that waits.
  init?(_ state: JobStatus?) {
    switch state {
    case .success: self = .green
    case .failed, .timeout, .error, .lost, .rejected: self = .red
    case .canceled: self = .yellow
    case nil: return nil
    }
  }
}

/// A time for people: `12 s ago`, `2 min ago`, `3 h ago`, `5 days ago`. By this host's clock.
func agoText(_ time: Timestamp, at now: Timestamp = .now) -> String {
  let seconds = max(0, (now.millisecondsSince1970 - time.millisecondsSince1970) / 1000)
  switch seconds {
  case ..<60: return "\(seconds) s ago"
  case ..<3600: return "\(seconds / 60) min ago"
  case ..<(2 * 86400): return "\(seconds / 3600) h ago"
  default: return "\(seconds / 86400) days ago"
  }
}

/// The time since then, for people.
func elapsedText(since time: Timestamp, at now: Timestamp = .now) -> String {
  let milliseconds = max(0, now.millisecondsSince1970 - time.millisecondsSince1970)
  return milliseconds < 60_000
    ? "\(milliseconds / 1000) s" : Duration.seconds(milliseconds / 1000).jobText
}

extension String {
  /// At most `width` characters; a longer text ends with an ellipsis.
  func clipped(to width: Int) -> String { count <= width ? self : "\(prefix(max(0, width - 1)))…" }
}
