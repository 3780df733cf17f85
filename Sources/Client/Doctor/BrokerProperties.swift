/// What workers rely on in a broker.
enum BrokerProperties {
  package static let all: [Property] = [
    Property(
      subject: .broker, name: "connection", weight: .needed, present: "it lets this account in",
      absent: "nothing else can be examined"),
    Property(
      subject: .broker, name: "messages", weight: .needed, present: "what is published comes to who subscribes",
      absent:
        "this account may not both publish and subscribe there; give another account, or a --topic that it may use"),
    Property(
      subject: .broker, name: "large messages", weight: .needed, present: "a request may have 256 KiB",
      absent:
        "a request of 256 KiB does not get through; raise the broker's largest packet (mosquitto: max_packet_size)"),
    Property(
      subject: .broker, name: "no matching subscribers", weight: .wanted,
      present: "a sender is told (0x10) when nobody is there to take its request",
      absent: "a request that nobody is subscribed to vanishes without a word; wait for the event 'accepted'"),
    Property(
      subject: .broker, name: "durable sessions", weight: .needed,
      present: "requests wait for a worker that is away, in their order",
      absent: "requests that are sent while a worker is away are lost; allow sessions to last, and to queue messages"),
    Property(
      subject: .broker, name: "redelivery", weight: .needed,
      present: "a request that a worker did not acknowledge before it died comes again",
      absent: "a request that a worker had not acknowledged when it died is lost: no job is safe on this broker"),
    Property(
      subject: .broker, name: "shared subscriptions", weight: .needed,
      present: "each request goes to one worker of a $share group",
      absent: "workers cannot share a topic; give each a topic of its own, or use another broker"),
    Property(
      subject: .broker, name: "retained messages", weight: .wanted,
      present: "results and the state of workers are there for those who come late",
      absent: "who comes late sees no results and no workers, only what lies on the volume"),
    Property(
      subject: .broker, name: "message expiry", weight: .wanted,
      present: "results and the state of workers go away by themselves",
      absent: "retained results stay for ever, and workers that are long gone stay listed; use --no-retain"),
    Property(
      subject: .broker, name: "last will", weight: .wanted,
      present: "a worker that dies is shown offline",
      absent: "a worker that dies is missed only when its heartbeats do not come"),
    Property(
      subject: .broker, name: "closed to strangers", weight: .wanted,
      present: "it lets in no client without a name or certificate",
      absent: "anybody who reaches it may connect, and run commands on workers if no access control forbids that"),
  ]
}
