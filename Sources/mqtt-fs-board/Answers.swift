import FlyingFox
import FoundationEssentials
import Jobs

extension HTTPResponse {
  /// The headers of every answer: the page runs and loads nothing but its own files, and nobody frames it.
  ///
  /// Content-Security-Policy, level 3. The page has no inline script or style, and sets all foreign text as text.
  static let safety: [HTTPHeader: String] = [
    HTTPHeader("Content-Security-Policy"):
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
      + "frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'",
    HTTPHeader("X-Content-Type-Options"): "nosniff",
    HTTPHeader("X-Frame-Options"): "DENY",
    HTTPHeader("Referrer-Policy"): "no-referrer",
    HTTPHeader("Cross-Origin-Opener-Policy"): "same-origin",
    HTTPHeader("Cross-Origin-Resource-Policy"): "same-origin",
  ]

  /// An answer with a content of `type`.
  static func content(_ bytes: [UInt8], _ type: String, _ status: HTTPStatusCode = .ok) -> HTTPResponse {
    var answer = HTTPResponse(statusCode: status, body: Data(bytes))
    answer.headers[.contentType] = type
    answer.headers[.cacheControl] = "no-store"
    return answer
  }

  /// A value as JSON.
  static func json(_ value: some Encodable, _ status: HTTPStatusCode = .ok) -> HTTPResponse {
    content((try? compactJSON(value)) ?? [], "application/json", status)
  }

  /// An error: what, where, why, and what to do next, in a sentence.
  static func problem(_ status: HTTPStatusCode, _ sentence: String) -> HTTPResponse {
    json(["error": sentence], status)
  }

  /// A stream of server-sent events (HTML, section 9.2).
  static func events(_ feed: some EventFeed) -> HTTPResponse {
    var answer = HTTPResponse(statusCode: .ok, body: HTTPBodySequence(from: EventStream(feed: feed)))
    answer.headers[.contentType] = "text/event-stream"
    answer.headers[.cacheControl] = "no-store"
    // A proxy such as nginx would hold lines back.
    answer.headers[HTTPHeader("X-Accel-Buffering")] = "no"
    return answer
  }
}

/// The files of the page.
enum PageFile {
  /// The file at a path, with its type; `nil` if there is none.
  static func at(_ path: String) -> (bytes: [UInt8], type: String)? {
    switch path {
    case "/": (PackageResources.index_html, "text/html; charset=utf-8")
    case "/board.css": (PackageResources.board_css, "text/css; charset=utf-8")
    case "/board.js": (PackageResources.board_js, script)
    case "/early.js": (PackageResources.early_js, script)
    case "/store.js": (PackageResources.store_js, script)
    case "/table.js": (PackageResources.table_js, script)
    case "/overview.js": (PackageResources.overview_js, script)
    case "/job.js": (PackageResources.job_js, script)
    case "/log.js": (PackageResources.log_js, script)
    case "/text.js": (PackageResources.text_js, script)
    case "/icon.svg": (PackageResources.icon_svg, "image/svg+xml")
    default: nil
    }
  }

  private static let script = "text/javascript; charset=utf-8"
}
