import Crypto
import FlyingFox
import Jobs
import Settings

/// The secret that opens the board.
///
/// Neither it nor the cookie is kept: only digests of them, which are compared in constant time.
struct Token: Sendable {
  private static let shortest = 16
  private let key: SymmetricKey
  /// The value of the cookie that a browser gets for the token. It outlives a restart, and ends with the token.
  let cookie: String

  /// The token on the first line of `path`. Throws ``Misconfiguration`` for one that can be guessed.
  init(file path: String) throws {
    let text = try secretFile(path)
    guard text.utf8.count >= Token.shortest else {
      throw Misconfiguration(
        "the token in \(path) has \(text.utf8.count) bytes and could be guessed: give at least \(Token.shortest), as "
          + "'openssl rand -hex 16' prints them")
    }
    self.init(text)
  }

  init(_ text: String) {
    key = SymmetricKey(data: SHA256.hash(data: Array(text.utf8)))
    let code = HMAC<SHA256>.authenticationCode(for: Array("mqtt-fs-board cookie".utf8), using: key)
    cookie = String(hexadecimal: Array(code))
  }

  /// Whether `text` is the token.
  func matches(_ text: String) -> Bool { isEqual(Token(text).cookie, cookie) }

  /// Whether `text` is the cookie's value.
  func matches(cookie text: String) -> Bool { isEqual(text, cookie) }

  /// Compares digests of both, so that the time does not depend on where they differ.
  private func isEqual(_ a: String, _ b: String) -> Bool {
    let (x, y) = [a, b].map { Array(SHA256.hash(data: Array($0.utf8))) }.pair
    return zip(x, y).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
  }
}

extension Array {
  fileprivate var pair: (Element, Element) { (self[0], self[1]) }
}

/// Who may do what.
struct Access: Sendable {
  let address: ListenAddress
  let token: Token?

  /// Refuses a request that did not come to this host by one of its own names.
  ///
  /// A page of a stranger can give its own name this host's address (DNS rebinding): then a browser lets it read the
  /// answers, but sends the stranger's name as Host (RFC 9110, section 7.2).
  func refusal(ofHost request: HTTPRequest) -> HTTPResponse? {
    guard address.isLoopback, token == nil else { return nil }
    let host = request.headers[.host] ?? ""
    let name = host.hasPrefix("[") ? String(host.prefix { $0 != "]" }) + "]" : String(host.prefix { $0 != ":" })
    guard !["localhost", "127.0.0.1", "[::1]", address.host].contains(name.lowercased()) else { return nil }
    return .problem(
      .misdirectedRequest,
      "the request names the host \(name.quoted), which is not this board: open it as http://localhost or http://127.0.0.1 "
        + "with its port, or give the board a token with --token-file to use another name")
  }

  /// Whether the request brings the token, or none is needed.
  func isOpen(to request: HTTPRequest) -> Bool {
    guard let token else { return true }
    if let bearer = bearer(of: request) { return token.matches(bearer) }
    return cookies(of: request).contains { token.matches(cookie: $0) }
  }

  /// The refusal of a request without the token.
  var askForToken: HTTPResponse {
    var answer = HTTPResponse.problem(
      .unauthorized,
      "the board needs its token: enter it on the page, or send it as 'Authorization: Bearer <token>'")
    answer.headers[HTTPHeader("WWW-Authenticate")] = "Bearer"
    return answer
  }

  /// Refuses a change that another site's page sent with this browser's cookie (CSRF): a browser names the page's origin
  /// with each POST (RFC 6454). Other programs send the token itself, or name the origin, too.
  func refusal(ofChange request: HTTPRequest) -> HTTPResponse? {
    if token != nil, bearer(of: request) != nil { return nil }
    let host = request.headers[.host] ?? ""
    let origin = request.headers[HTTPHeader("Origin")] ?? ""
    guard !host.isEmpty, origin == "http://\(host)" || origin == "https://\(host)" else {
      return .problem(
        .forbidden,
        "the request comes from another page (Origin \(origin.quoted), not http://\(host.escaped)), and may change nothing "
          + "here: use the board's own page")
    }
    return nil
  }

  /// The cookie for a browser that has sent the token. Only this site's pages send it, and no script reads it.
  func setCookie(for request: HTTPRequest) -> String? {
    guard let token else { return nil }
    let isSecure = request.headers[HTTPHeader("X-Forwarded-Proto")] == "https"
    return
      "\(cookieName)=\(token.cookie); Path=/; HttpOnly; SameSite=Strict; Max-Age=604800\(isSecure ? "; Secure" : "")"
  }

  /// Cookies do not tell ports apart, so two boards of a host need two names.
  private var cookieName: String { "board-\(address.port)" }

  private func bearer(of request: HTTPRequest) -> String? {
    guard let value = request.headers[.authorization], value.lowercased().hasPrefix("bearer ") else { return nil }
    return String(value.dropFirst(7))
  }

  private func cookies(of request: HTTPRequest) -> [String] {
    (request.headers[.cookie] ?? "").split(separator: ";").compactMap { pair in
      let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
      return parts.count == 2 && parts[0] == cookieName ? String(parts[1]) : nil
    }
  }
}
