import ArgumentParser
import Volume

/// Where a broker is, and how it is spoken to: `mqtt://host:1883`, `mqtts://user:password@host:8883`.
struct BrokerAddress: Equatable {
  enum Transport: Equatable {
    case plain, tls
  }

  var host: String
  var port: UInt16
  var transport: Transport
  var username: String?
  var password: String?

  init(host: String, port: UInt16?, transport: Transport) {
    self.host = host
    self.port = port ?? (transport == .tls ? 8883 : 1883)
    self.transport = transport
  }

  /// Takes a URL; the scheme may be left out, as may the port.
  init(_ text: String) throws {
    func invalid(_ reason: String) -> ValidationError {
      ValidationError("'\(withoutPassword(text))' is not a broker's URL: \(reason), as in mqtt://localhost:1883")
    }
    let colon = text.firstIndex(of: ":").flatMap { text[$0...].hasPrefix("://") ? $0 : nil }
    let scheme = colon.map { text[..<$0].lowercased() } ?? "mqtt"
    var rest = colon.map { text[$0...].dropFirst(3) } ?? text[...]
    switch scheme {
    case "mqtt", "tcp": transport = .plain
    case "mqtts", "ssl", "tls": transport = .tls
    case "ws", "wss": throw invalid("MQTT over WebSocket is not spoken; use mqtt:// or mqtts://")
    default: throw invalid("the scheme '\(scheme)' is not known; use mqtt:// or mqtts://")
    }
    if rest.hasSuffix("/") { rest.removeLast() }
    guard !rest.contains(where: { "/?#".contains($0) }) else { throw invalid("nothing may follow the port") }
    if let at = rest.lastIndex(of: "@") {
      let user = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      username = percentDecoded(String(user[0]))
      password = user.count > 1 ? percentDecoded(String(user[1])) : nil
      rest = rest[rest.index(after: at)...]
    }
    var digits: Substring?
    if rest.hasPrefix("[") {
      guard let end = rest.firstIndex(of: "]") else { throw invalid("the ']' of the IPv6 address is missing") }
      host = String(rest[rest.index(after: rest.startIndex)..<end])
      let tail = rest[rest.index(after: end)...]
      guard tail.isEmpty || tail.hasPrefix(":") else { throw invalid("a port follows the address as ':1883'") }
      if !tail.isEmpty { digits = tail.dropFirst() }
    } else {
      let pieces = rest.split(separator: ":", omittingEmptySubsequences: false)
      guard pieces.count <= 2 else { throw invalid("an IPv6 address stands in brackets, as in [::1]") }
      host = pieces.first.map(String.init) ?? ""
      digits = pieces.count == 2 ? pieces[1] : nil
    }
    guard !host.isEmpty, !host.contains(where: \.isWhitespace) else { throw invalid("the host is missing") }
    guard let digits else {
      port = transport == .tls ? 8883 : 1883
      return
    }
    guard let number = UInt16(digits), number > 0 else { throw invalid("the port must be a number from 1 to 65535") }
    port = number
  }
}

/// What may be shown of a URL: a password never is.
func withoutPassword(_ text: String) -> String {
  guard let at = text.lastIndex(of: "@") else { return text }
  return "…\(text[at...])"
}
