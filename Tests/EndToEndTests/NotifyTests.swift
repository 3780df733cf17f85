import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// examples/notify, with receivers that take its messages, or do not.
@Suite(.enabled(if: Checkout.python != nil, "needs packages from PyPI: run .ci/python-packages"))
struct NotifyTests {
  /// A webhook or a mail server.
  private struct Sink {
    let process: ChildProcess
    let port: Int

    /// What came so far, in order.
    var entries: [JSON] { process.output.split(separator: "\n").dropFirst().compactMap { try? JSON(Data($0.utf8)) } }

    func entries(_ count: Int) async throws -> [JSON] {
      try await eventually("\(count) deliveries; \(process.errors)") { entries.count >= count ? entries : nil }
    }
  }

  private func sink(_ scene: Scene, _ kind: String, _ answers: String...) async throws -> Sink {
    let process = try scene.start(
      #require(Checkout.python), [Checkout.root.pushing(FilePath("Tests/sinks.py")).string, kind] + answers, name: kind)
    let port = try await eventually("the port of a sink") {
      process.output.contains("\n") ? process.output.split(separator: "\n").first.flatMap { Int($0) } : nil
    }
    return Sink(process: process, port: port)
  }

  /// Starts the notifier, and waits until the broker has its subscription.
  private func notifier(
    _ scene: Scene, _ settings: [String: String], _ arguments: [String] = []
  ) async throws -> ChildProcess {
    let environment = scene.environment.merging([
      "MQTT_BROKER": "127.0.0.1", "MQTT_PORT": "\(scene.broker.port)", "PYTHONUNBUFFERED": "1",
    ]) { $1 }.merging(settings) { $1 }
    let before: Int = scene.broker.logged("Sending SUBACK to notify")
    let notifier = try scene.start(
      #require(Checkout.python), [Checkout.root.pushing(FilePath("examples/notify/notify.py")).string] + arguments,
      environment: environment, name: "notify")
    try await eventually("the notifier's subscription; \(notifier.errors)") {
      scene.broker.logged("Sending SUBACK to notify") > before
    }
    return notifier
  }

  private func webhook(_ sink: Sink, _ shape: String = "ntfy") -> [String: String] {
    ["NOTIFY_URL": "http://127.0.0.1:\(sink.port)/topic", "NOTIFY_SHAPE": shape]
  }

  private func mail(_ sink: Sink) -> [String: String] {
    [
      "SMTP_HOST": "127.0.0.1", "SMTP_PORT": "\(sink.port)", "SMTP_TLS": "none", "MAIL_FROM": "worker@example.org",
      "MAIL_TO": "one@example.org, two@example.org",
    ]
  }

  /// A result whose texts would do harm.
  private func publishHostile(_ scene: Scene, _ id: String = "bad_1") async throws {
    let error = "<!channel> <http://x|y> *bold* @everyone [a](http://b)\r\nBcc: evil@example.org\u{202E}\u{1B}[2J"
    let result: JSON = [
      "id": .string(id), "status": "failed", "error": .string(error + String(repeating: "x", count: 5000)),
      "workerId": "w", "attempt": 1,
    ]
    try await scene.broker.publish("jobs/results/\(id)", result.text)
  }

  private func end(_ processes: ChildProcess...) async throws {
    for process in processes {
      process.send(SIGTERM)
      try await process.end()
    }
  }

  @Test func onlyFailuresOfRealJobsAreToldUnlessAllAreWanted() async throws {
    try await Scene.play { scene in
      let (some, all) = (try await sink(scene, "http"), try await sink(scene, "http"))
      let first = try await notifier(scene, webhook(some))
      let second = try await notifier(
        scene, webhook(all).merging(["NOTIFY_CLIENT_ID": "notify-all"]) { $1 }, ["--all"])
      try await scene.worker(on: "jobs/pending", ["--jobs", "2"]).listens()
      for (id, step) in [("well", "true"), ("ill", "exit 3")] {
        try scene.job(id, steps: [.string(step)])
        try await scene.send(id)
      }
      #expect(try await all.entries(2).map { $0["body"]["title"].string } == ["well: success", "ill: failed"])
      let told = try await some.entries(1)
      #expect(told.map { $0["body"]["title"].string } == ["ill: failed"])
      #expect(told[0]["path"] == "/" && told[0]["body"]["topic"] == "topic")
      #expect(told[0]["body"]["message"].string?.contains("step 0") == true, "\(told)")
      try await end(first, second, some.process, all.process)
    }
  }

  @Test func textsAreHarmlessInEveryShape() async throws {
    try await Scene.play { scene in
      for shape in ["ntfy", "slack", "discord"] {
        let sink = try await sink(scene, "http")
        let notifier = try await notifier(scene, webhook(sink, shape))
        try await publishHostile(scene)
        let body = try await sink.entries(1)[0]["body"]
        let text = try #require(["message", "text", "content"].compactMap { body[$0].string }.first)
        #expect(text.count <= 2000 && text.contains("…"))
        #expect(text.unicodeScalars.allSatisfy { $0 != "\r" && $0 != "\u{202E}" && $0 != "\u{1B}" })
        switch shape {
        case "slack":
          #expect(text.hasPrefix("bad_1: failed\n&lt;!channel&gt; &lt;http://x|y&gt;"))
          #expect(body["mrkdwn"] == false)
        case "discord":
          #expect(text.hasPrefix(#"bad\_1\: failed"#) && text.contains(#"\*bold\* \@everyone \[a\]\("#), "\(text)")
          #expect(body["allowed_mentions"]["parse"] == [])
        default: #expect(body["title"] == "bad_1: failed")
        }
        try await end(notifier, sink.process)
      }
    }
  }

  @Test func receiverThatIsBusyIsAskedAgainWhenItSaysSo() async throws {
    try await Scene.play { scene in
      let token = scene.files.appending("token")
      try scene.write("secret-token\n", token)
      let sink = try await sink(scene, "http", "429:2", "503", "404")
      let notifier = try await notifier(scene, webhook(sink).merging(["NOTIFY_TOKEN_FILE": token.string]) { $1 })
      try await publishHostile(scene)
      let entries = try await sink.entries(4)
      #expect(entries.map { $0["status"].number } == [429, 503, 404, 200])
      #expect(entries.allSatisfy { $0["authorization"] == "Bearer secret-token" && $0["body"] == entries[0]["body"] })
      let times = entries.compactMap { $0["time"].number }
      #expect(times[1] - times[0] >= 2 && times[2] - times[1] >= 2 && times[3] - times[2] >= 4, "\(times)")
      try await eventually("the acknowledgement") { scene.broker.logged("Received PUBACK from notify") == 1 }
      #expect(notifier.errors.contains("429") && !notifier.errors.contains("secret-token"))
      try await end(notifier, sink.process)
    }
  }

  @Test func resultIsKeptUntilTheReceiverListens() async throws {
    try await Scene.play { scene in
      let sink = try await sink(scene, "http", "--closed", "302", "400")
      let notifier = try await notifier(scene, webhook(sink))
      try await publishHostile(scene, "first")
      try await notifier.says("Connection refused")
      #expect(scene.broker.logged("Received PUBACK from notify") == 0)
      sink.process.send(SIGUSR1)
      // A redirection is not followed. What is no good request is left out, and does not stop the next.
      _ = try await sink.entries(2)
      try await publishHostile(scene, "second")
      let entries = try await sink.entries(3)
      #expect(entries.map { $0["body"]["title"] } == ["first: failed", "first: failed", "second: failed"])
      #expect(notifier.errors.contains("first is left out"))
      try await end(notifier, sink.process)
    }
  }

  @Test func nothingIsLostOrToldTwiceOverARestartOfTheBroker() async throws {
    try await Scene.play { scene in
      let sink = try await sink(scene, "http", "503", "503")
      let notifier = try await notifier(scene, webhook(sink))
      for id in ["a", "b", "c"] { try await publishHostile(scene, id) }
      _ = try await sink.entries(1)
      try await scene.broker.restart()
      try await publishHostile(scene, "d")
      _ = try await sink.entries(6)
      try await eventually("the last acknowledgement") {
        scene.broker.logged("Received PUBACK from notify") >= 4
      }
      #expect(
        sink.entries.filter { $0["status"] == 200 }.map { $0["body"]["title"].string }
          == ["a", "b", "c", "d"].map { "\($0): failed" })
      try await end(notifier, sink.process)
    }
  }

  @Test func resultsOfTheTimeWhenItWasKilledAreToldLater() async throws {
    try await Scene.play { scene in
      let sink = try await sink(scene, "http", "503")
      let killed = try await notifier(scene, webhook(sink))
      try await publishHostile(scene, "first")
      _ = try await sink.entries(1)
      killed.send(SIGKILL)
      try await killed.end()
      try await publishHostile(scene, "second")
      let next = try await notifier(scene, webhook(sink))
      let titles = try await sink.entries(3).map { $0["body"]["title"].string }
      #expect(titles == ["first: failed", "first: failed", "second: failed"])
      try await end(next, sink.process)
    }
  }

  @Test func mailBringsWhatTheServerTakesAtLast() async throws {
    try await Scene.play { scene in
      let sink = try await sink(scene, "smtp", "451")
      let notifier = try await notifier(scene, mail(sink))
      try await publishHostile(scene)
      let mails = try await sink.entries(2)
      #expect(mails.map { $0["status"].number } == [451, 250])
      let text = try #require(mails[1]["text"].string)
      let head = try #require(text.components(separatedBy: "\r\n\r\n").first)
      #expect(head.contains("Subject: bad_1: failed\r\n") && !head.contains("evil"), "\(head)")
      #expect(
        mails[1]["receivers"].elements.compactMap { $0.string?.lowercased() }
          == ["rcpt to:<one@example.org>", "rcpt to:<two@example.org>"])
      let id = head.components(separatedBy: "\r\n").first { $0.hasPrefix("Message-ID:") }
      #expect(id != nil && mails[0]["text"].string?.contains(id ?? "") == true)
      try await end(notifier, sink.process)
    }
  }

  @Test(arguments: [
    ("", "set NOTIFY_URL, SMTP_HOST, or both"), ("NOTIFY_URL=file:///etc/passwd", "must be a URL"),
    ("NOTIFY_URL=https://h/t NOTIFY_SHAPE=pigeon", "ntfy, slack or discord"),
    ("SMTP_HOST=h MAIL_FROM=a@b", "needs MAIL_FROM and MAIL_TO"),
    ("SMTP_HOST=h MAIL_FROM=a@b MAIL_TO=c@d SMTP_TLS=none SMTP_USERNAME=u", "without TLS"),
  ])
  func settingsThatCannotBeRightAreNamed(_ settings: String, _ sentence: String) async throws {
    try await Scene.play(.down) { scene in
      let pairs = settings.split(separator: " ").map { $0.split(separator: "=").map(String.init) }
      let settings = Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1]) })
      let run = try scene.start(
        #require(Checkout.python), [Checkout.root.pushing(FilePath("examples/notify/notify.py")).string],
        environment: scene.environment.merging(settings) { $1 }, name: "notify")
      #expect(try await run.end() == .code(1))
      #expect(run.errors.contains(sentence) && !run.errors.contains("Traceback"), "\(run.errors)")
    }
  }
}
