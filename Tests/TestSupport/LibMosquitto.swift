import Glibc

/// The version of libmosquitto that this process and the worker in a scene use.
public struct LibMosquitto: Comparable, Sendable {
  private let major: Int32
  private let minor: Int32

  /// A version, for comparison.
  public init(_ major: Int32, _ minor: Int32) { (self.major, self.minor) = (major, minor) }

  /// The version that is loaded (mosquitto_lib_version in mosquitto.h).
  public static let loaded: LibMosquitto = {
    typealias Version =
      @convention(c) (UnsafeMutablePointer<Int32>?, UnsafeMutablePointer<Int32>?, UnsafeMutablePointer<Int32>?) -> Int32
    guard let symbol = dlsym(nil, "mosquitto_lib_version") else { return LibMosquitto(0, 0) }
    var (major, minor, revision): (Int32, Int32, Int32) = (0, 0, 0)
    _ = unsafeBitCast(symbol, to: Version.self)(&major, &minor, &revision)
    return LibMosquitto(major, minor)
  }()

  /// The earlier comes first.
  public static func < (one: LibMosquitto, other: LibMosquitto) -> Bool {
    (one.major, one.minor) < (other.major, other.minor)
  }
}
