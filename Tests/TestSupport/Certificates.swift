import Foundation
public import SystemPackage

/// Certificates for a broker with TLS, made by openssl(1) in its folder: `ca.pem`, `server.pem`, and others.
public struct Certificates: Sendable {
  /// The server certificate of the broker.
  public enum Server: String, Sendable {
    /// A certificate for localhost and 127.0.0.1.
    case valid
    /// The same, but expired.
    case expired
    /// A certificate for another host.
    case elsewhere
  }

  /// The client certificate that the broker asks for.
  public enum Client: Sendable {
    /// Nothing.
    case anybody
    /// A certificate of the same CA.
    case certified
  }

  /// The CA that signed everything.
  public let authority: FilePath
  /// A CA that signed nothing.
  public let otherAuthority: FilePath
  /// The certificate of a client, and its key.
  public let client: (certificate: FilePath, key: FilePath)
  let server: (certificate: FilePath, key: FilePath)

  /// Makes them all in `folder`.
  init(_ kind: Server, in folder: FilePath) async throws {
    authority = folder.appending("ca.pem")
    otherAuthority = folder.appending("other-ca.pem")
    client = (folder.appending("client.pem"), folder.appending("client.key"))
    server = (folder.appending("server.pem"), folder.appending("server.key"))
    let host = kind == .elsewhere ? "DNS:broker.example" : "DNS:localhost,IP:127.0.0.1"
    let days = kind == .expired ? -1 : 2
    let script = """
      set -e
      key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
      openssl req -x509 $key -keyout ca.key -out ca.pem -days 2 -subj '/CN=Test CA'
      openssl req -x509 $key -keyout other-ca.key -out other-ca.pem -days 2 -subj '/CN=Other CA'
      openssl req -new $key -keyout server.key -out server.csr -subj '/CN=broker' -addext 'subjectAltName=\(host)'
      openssl x509 -req -in server.csr -days \(days) -CA ca.pem -CAkey ca.key -set_serial 1 -copy_extensions copy -out server.pem
      openssl req -new $key -keyout client.key -out client.csr -subj '/CN=worker'
      openssl x509 -req -in client.csr -days 2 -CA ca.pem -CAkey ca.key -set_serial 2 -out client.pem
      """
    let shell = try ChildProcess(
      installed("sh"), ["-c", script], environment: ["PATH": "/usr/bin:/bin:/usr/local/bin"], directory: folder,
      files: folder.appending("openssl"))
    guard try await shell.end() == .code(0) else { throw WaitedInVain("openssl: \(shell.errors)") }
  }
}
