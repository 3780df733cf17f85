package import Jobs
package import MQTT
import Signing

// Two fleets may listen to each other's topics, as on `jobs/#` with different results topics. What a worker says must be no
// request to the other: it would be answered, and the answer again.

extension UserProperty {
  /// What tells a worker's messages from requests.
  private static let markName = "mqtt-fs-worker"

  /// The mark of what `worker` says.
  package static func mark(_ worker: WorkerID) -> UserProperty { UserProperty(name: markName, value: worker.text) }

  fileprivate var isMark: Bool { name == UserProperty.markName }
}

extension Message {
  /// A message of `worker` to whoever listens, in JSON.
  package init(_ topic: String, _ payload: [UInt8], from worker: WorkerID) {
    self.init(topic: topic, payload: payload)
    properties.contentType = "application/json"
    properties.userProperties = [.mark(worker)]
  }

  /// Whether a worker said this: by its mark, or, where there are no properties (3.1.1), by what it says.
  package var isOfWorker: Bool {
    if properties.userProperties.contains(where: \.isMark) { return true }
    return isSaidByWorker(payload)
  }
}
