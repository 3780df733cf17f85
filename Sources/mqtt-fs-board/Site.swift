import Client
import FlyingFox
import Jobs
import Volume

/// The board's addresses and their answers.
struct Site: Sendable {
  let directory: JobsDirectory
  let census: Census
  let access: Access
  /// The link by which jobs are canceled, if they may be.
  let canceling: BrokerLink?
  private let seats = StreamSeats(48)

  init(directory: JobsDirectory, census: Census, access: Access, canceling: BrokerLink?) {
    self.directory = directory
    self.census = census
    self.access = access
    self.canceling = canceling
  }

  /// The answer to any request.
  func answer(_ request: HTTPRequest) async -> HTTPResponse {
    var answer = await route(request)
    for (name, value) in HTTPResponse.safety where answer.headers[name] == nil { answer.headers[name] = value }
    return answer
  }

  private func route(_ request: HTTPRequest) async -> HTTPResponse {
    if let refusal = access.refusal(ofHost: request) { return refusal }
    let path = request.target.path()
    switch (request.method, path) {
    case (.GET, _) where PageFile.at(path) != nil: return page(path, request)
    case (.POST, "/login"): return await login(request)
    case (.GET, _), (.POST, _): break
    default:
      return .problem(.methodNotAllowed, "\(request.method.rawValue.quoted) is not known here: use GET or POST")
    }
    guard path.hasPrefix("/api/") else { return nothing(at: path) }
    guard access.isOpen(to: request) else { return access.askForToken }
    census.noteInterest()
    let names = path.dropFirst(5).split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    switch (request.method, names.count, names[0]) {
    case (.GET, 1, "jobs"): return jobs(request)
    case (.GET, 1, "events"): return overview(request)
    case (_, 2..., "jobs"):
      do {
        return await job(try JobID(names[1]), Array(names.dropFirst(2)), request)
      } catch {
        return .problem(.badRequest, "\(error)")
      }
    default: return nothing(at: path)
    }
  }

  /// The page's own files need no token: they hold nothing of the jobs.
  private func page(_ path: String, _ request: HTTPRequest) -> HTTPResponse {
    guard let file = PageFile.at(path) else { return nothing(at: path) }
    var answer = HTTPResponse.content(file.bytes, file.type)
    answer.headers[.cacheControl] = "no-cache"
    return answer
  }

  private func nothing(at path: String) -> HTTPResponse {
    .problem(.notFound, "there is nothing at \(path.quoted): the board is at /")
  }

  /// Sets the cookie for the token in the body.
  private func login(_ request: HTTPRequest) async -> HTTPResponse {
    if let refusal = access.refusal(ofChange: request) { return refusal }
    guard let length = request.headers[.contentLength].flatMap({ Int($0) }), length <= 4096,
      let body = try? await request.bodyData
    else {
      return .problem(.payloadTooLarge, "a login is a token of at most 4096 bytes")
    }
    guard let token = access.token, token.matches(String(decoding: body, as: UTF8.self)) else {
      // Guessing takes time.
      try? await Task.sleep(for: .seconds(1))
      return .problem(.unauthorized, "this is not the board's token: it is in the file that --token-file names")
    }
    var answer = HTTPResponse.json(["ok": true])
    answer.headers[.setCookie] = access.setCookie(for: request)
    return answer
  }

  // MARK: All jobs

  private func jobs(_ request: HTTPRequest) -> HTTPResponse {
    let snapshot = census.rows.snapshot()
    let tag = "\"\(snapshot.version)\""
    var answer: HTTPResponse
    if request.headers[.ifNoneMatch] == tag {
      answer = HTTPResponse(statusCode: .notModified)
    } else {
      let head = Array("{\"version\":\"\(snapshot.version)\",\"rows\":".utf8)
      answer = .content(head + snapshot.json + Array("}".utf8), "application/json")
    }
    answer.headers[.cacheControl] = "no-cache"
    answer.headers[.eTag] = tag
    return answer
  }

  private func overview(_ request: HTTPRequest) -> HTTPResponse {
    guard let version = request.value("since").flatMap(JobRows.Version.init) else {
      return .problem(
        .badRequest, "the events need the version of the rows that you have: ask /api/jobs first, then since=…")
    }
    guard let seat = seats.take() else { return crowded }
    return .events(OverviewFeed(census, since: version, seat: seat))
  }

  private var crowded: HTTPResponse {
    .problem(.serviceUnavailable, "too many pages are open on this board: close some, or try again in a moment")
  }

  // MARK: One job

  /// All about the job `id`. Blocks on the volume. Throws ``NoJob``.
  func page(of id: JobID, after before: JobPage? = nil) throws -> JobPage {
    let row = try census.rows.row(of: id) ?? JobListing(directory).job(id).map { JobRow($0, since: nil) }
    guard let row else { throw NoJob() }
    return JobPage(row, in: directory, mayCancel: canceling != nil, after: before)
  }

  /// There is no such job.
  struct NoJob: Error {}

  private func job(_ id: JobID, _ names: [String], _ request: HTTPRequest) async -> HTTPResponse {
    do {
      switch (request.method, names) {
      case (.GET, []): return .json(try await onThread { try page(of: id) })
      case (.GET, ["events"]): return try await events(of: id, request)
      case (.GET, ["files"]): return try await file(of: id, request)
      case (.GET, _) where names.count == 2 && names[0] == "logs": return try await log(of: id, names[1], request)
      case (.POST, ["cancel"]): return await cancel(id, request)
      default: return nothing(at: request.target.path())
      }
    } catch is NoJob {
      return .problem(
        .notFound, "there is no job \(id) in \(directory.path): it may have been removed; all jobs are listed at /")
    } catch {
      return .problem(.internalServerError, "\(error)")
    }
  }

  private func events(of id: JobID, _ request: HTTPRequest) async throws -> HTTPResponse {
    _ = try await onThread { try page(of: id) }
    let step = request.value("step").flatMap { Int($0) }.flatMap { (0..<100_000).contains($0) ? $0 : nil }
    guard let seat = seats.take() else { return crowded }
    return .events(JobFeed(id, step.map { .only($0) } ?? .latest, self, seat: seat))
  }

  private func file(of id: JobID, _ request: HTTPRequest) async throws -> HTTPResponse {
    let path = request.value("path") ?? ""
    guard let seat = seats.take() else { return crowded }
    guard let file = try await onThread({ Attachment(path, of: id, in: directory) }) else {
      return .problem(
        .notFound,
        "there is no file \(path.quoted) in the results of job \(id): only regular files are served, and no link is followed"
      )
    }
    return file.answer(seat: seat)
  }

  /// A part of a log that ends where the page's begins.
  private func log(of id: JobID, _ name: String, _ request: HTTPRequest) async throws -> HTTPResponse {
    guard let step = Int(name), (0..<100_000).contains(step),
      let end = request.value("before").flatMap({ Int64($0) }), end >= 0
    else {
      return .problem(.badRequest, "a part of a log is asked for as /api/jobs/<id>/logs/<step>?before=<offset>")
    }
    let piece = try await onThread {
      try LogTail.bytes(of: id, step: step, before: end, size: JobFeed.tail, in: directory)
    }
    guard let piece else {
      return .problem(.notFound, "step \(step) of job \(id) has no log: it has not started, or the job has begun again")
    }
    var (bytes, offset) = (piece.bytes, piece.offset)
    if offset > 0, let line = bytes.firstIndex(of: 0x0A), line + 1 < bytes.count {
      bytes.removeFirst(line + 1)
      offset += Int64(line) + 1
    }
    return .json(
      JobFeed.Output(step: step, offset: offset, text: String(decoding: bytes, as: UTF8.self), isFirst: false))
  }

  private func cancel(_ id: JobID, _ request: HTTPRequest) async -> HTTPResponse {
    guard let canceling else {
      return .problem(
        .forbidden,
        "this board only reads: start it with --allow-cancel and a broker, or run 'mqtt-fs-worker cancel \(id)'")
    }
    if let refusal = access.refusal(ofChange: request) { return refusal }
    do {
      let outcome = try await canceling.cancel(id)
      let sentence = outcome.sentence(about: id)
      return outcome.isReceived ? .json(["message": sentence], .accepted) : .problem(.conflict, sentence)
    } catch {
      return .problem(.badGateway, "job \(id) cannot be canceled: \(error)")
    }
  }
}

extension HTTPRequest {
  /// A value of the query.
  fileprivate func value(_ name: String) -> String? { query.first { $0.name == name }?.value }
}
