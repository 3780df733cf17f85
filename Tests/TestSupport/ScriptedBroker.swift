import Glibc
import Synchronization

/// A broker that a test scripts, for behaviour that a real broker does not show on demand. It speaks MQTT 5 on a free
/// port of 127.0.0.1 with one thread for each connection, until it is deallocated.
public final class ScriptedBroker: Sendable {
  /// A control packet of a client (MQTT 5, section 2.1).
  public struct Packet: Sendable {
    /// The kind.
    public enum Kind: UInt8, Sendable {
      case connect = 1
      case connack, publish, puback, pubrec, pubrel, pubcomp, subscribe, suback, unsubscribe, unsuback, pingreq,
        pingresp
      case disconnect, auth
    }

    /// The kind of packet.
    public let kind: Kind
    /// All bytes of the packet.
    public let bytes: [UInt8]
    /// The size of its header in bytes.
    let headerSize: Int
    /// The number of its connection, from 1.
    public let connection: Int

    var body: ArraySlice<UInt8> { bytes[headerSize...] }

    /// The packet identifier, which follows the topic in a PUBLISH.
    public var identifier: [UInt8] {
      let start =
        kind == .publish
        ? body.startIndex + 2 + Int(body.first ?? 0) << 8 + Int(body.dropFirst().first ?? 0) : body.startIndex
      return start + 2 <= bytes.count ? Array(bytes[start..<start + 2]) : []
    }

    /// The packet as text, to look for topics in it.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The version of MQTT of a CONNECT: 4 for 3.1.1, 5 for 5 (MQTT 5, section 3.1.2.2).
    public var protocolLevel: UInt8 { body.dropFirst(6).first ?? 0 }

    /// The client id of a CONNECT of MQTT 5.
    public var clientID: String {
      // Name, level, flags and keep-alive take 10 bytes; here the properties are shorter than 128.
      let rest = body.dropFirst(10)
      let payload = rest.dropFirst(1 + Int(rest.first ?? 0))
      return String(decoding: payload.dropFirst(2).prefix(Int(payload.dropFirst().first ?? 0)), as: UTF8.self)
    }

    /// The answer of a broker that accepts everything and announces nothing.
    public var usualAnswer: [UInt8] {
      switch kind {
      case .connect: [0x20, 3, 0, 0, 0]
      case .subscribe: [0x90, 4] + identifier + [0, 1]
      case .unsubscribe: [0xB0, 4] + identifier + [0, 0]
      case .publish where bytes[0] & 0x06 != 0: [0x40, 2] + identifier
      case .pingreq: [0xD0, 0]
      default: []
      }
    }
  }

  /// The broker's reaction to a packet.
  public enum Answer: Sendable {
    /// Sends these bytes; nothing if there are none.
    case bytes([UInt8])
    /// Sends these bytes, and closes the connection.
    case last([UInt8])
  }

  /// The port.
  public let port: UInt16
  private let listener: Int32
  private let seen = Mutex<[Packet]>([])

  /// A broker that reacts to each packet as `answer` says.
  public init(_ answer: @escaping @Sendable (Packet) -> Answer = { .bytes($0.usualAnswer) }) throws {
    let place = try LoopbackPort()
    let listener = place.descriptor
    guard listen(listener, 16) == 0 else { throw WaitedInVain("no port for a broker: errno \(errno)") }
    port = place.number
    self.listener = listener
    inThread { [weak self] in
      var connections = 0
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        connections += 1
        let number = connections
        inThread { [weak self] in
          while let packet = packet(from: connection, number) {
            self?.seen.withLock { $0.append(packet) }
            switch answer(packet) {
            case .bytes(let bytes):
              guard sendAll(bytes, to: connection) else { break }
            case .last(let bytes):
              _ = sendAll(bytes, to: connection)
              shutdown(connection, Int32(SHUT_RDWR))
            }
          }
          close(connection)
        }
      }
    }
  }

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  /// The packets so far.
  public var packets: [Packet] { seen.withLock { $0 } }
}

private func inThread(_ body: @escaping @Sendable () -> Void) {
  let box = Unmanaged.passRetained(Box(body))
  var thread = pthread_t()
  pthread_create(
    &thread, nil,
    { raw in
      Unmanaged<Box>.fromOpaque(raw!).takeRetainedValue().body()
      return nil
    }, box.toOpaque())
  pthread_detach(thread)
}

private final class Box: Sendable {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

private func packet(from connection: Int32, _ number: Int) -> ScriptedBroker.Packet? {
  guard var bytes = read(1, from: connection), let kind = ScriptedBroker.Packet.Kind(rawValue: bytes[0] >> 4) else {
    return nil
  }
  var (length, shift) = (0, 0)
  repeat {
    guard let byte = read(1, from: connection) else { return nil }
    bytes += byte
    length |= Int(byte[0] & 0x7F) << shift
    shift += 7
  } while bytes.last! & 0x80 != 0
  let headerSize = bytes.count
  guard let body = read(length, from: connection) else { return nil }
  return ScriptedBroker.Packet(kind: kind, bytes: bytes + body, headerSize: headerSize, connection: number)
}

private func read(_ count: Int, from connection: Int32) -> [UInt8]? {
  var bytes = [UInt8](repeating: 0, count: count)
  var done = 0
  while done < count {
    let got = bytes.withUnsafeMutableBytes { recv(connection, $0.baseAddress! + done, count - done, 0) }
    guard got > 0 else { return nil }
    done += got
  }
  return bytes
}

private func sendAll(_ bytes: [UInt8], to connection: Int32) -> Bool {
  var done = 0
  while done < bytes.count {
    let sent = bytes[done...].withUnsafeBytes {
      send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
    }
    guard sent > 0 else { return false }
    done += sent
  }
  return true
}
