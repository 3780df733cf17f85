/// A result or a rejection could not be published. A result is on the volume, and any worker that can publishes it later. A
/// rejected request is not settled: the broker or the volume keeps it.
package struct Unpublished: Error, CustomStringConvertible {
  /// The source's error.
  package let cause: any Error

  /// A sentence for the user.
  package var description: String {
    "the result is kept on the volume but could not be published: \(cause); a worker tries again"
  }
}
