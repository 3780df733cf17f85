import Jobs
import Logging
import MQTT
import Signing
import Steps
import Volume
import Worker

/// Offers each request that arrives to the worker, or defers it.
extension RequestSession {
  func receive(_ delivery: Delivery) async {
    receiving += 1
    received += 1
    defer {
      receiving -= 1
      if receiving == 0 {
        afterReceiving?.finish()
        // The connection may have waited for it: see ``dropOnceDecided()``.
        turn.yield()
      }
    }
    guard control.topics.mayBeRequest(delivery.message) else { return await delivery.acknowledge() }
    await route(delivery)
  }

  private func route(_ delivery: Delivery) async {
    if takesRequests {
      // While there is a KILLSWITCH, the message stays with the broker, unacknowledged.
      if state.lookForKillSwitch() { return drop() }
      if undecided == nil { return await offer(delivery) }
    } else if !defersRequests || state.snapshot.hasEnded && options.start == .resume {
      return drop()
    }
    // One read can bring two messages if the broker ignores Receive Maximum, or over TLS. Their PUBACKs leave together,
    // so the second message must be safe before the first is acknowledged.
    await deferUnlessFree(delivery)
  }

  private func offer(_ delivery: Delivery) async {
    let arrival: Arrival
    do {
      arrival = try Arrival(delivery, membership.epoch, reader)
    } catch {
      await deferral.reject(delivery, error)
      return await acknowledge(delivery)
    }
    arrival.warn(filter, logger)
    undecided = delivery
    afterAsking?.finish()
    let offer = JobOffer(
      request: arrival.request, envelope: arrival.envelope, filter: filter.text,
      received: delivery.received, isCurrent: { delivery.isCurrent },
      acknowledge: { await self.decided(delivery) })
    inbox.add(.request(rank, offer))
  }

  func decided(_ delivery: Delivery) async {
    // After a reconnection the broker may have sent it again, and that copy is offered.
    if undecided?.isSame(as: delivery) == true { undecided = nil }
    acknowledgements += 1
    await acknowledge(delivery)
    acknowledgements -= 1
    turn.yield()
  }

  private func acknowledge(_ delivery: Delivery) async {
    // The broker sends the next one now, if there is one.
    isAsked = false
    await delivery.acknowledge()
    if delivery.message.retention == .retained { control.clearRetained(delivery.message.topic) }
  }

  func forgetOffer() {
    inbox.withdrawRequest(of: rank)
    undecided = nil
    turn.yield()
  }

  func deferOffer() async {
    // A worker that has ended decides about nothing more.
    guard let delivery = undecided, inbox.withdrawRequest(of: rank) || state.snapshot.hasEnded else { return }
    undecided = nil
    await deferUnlessFree(delivery)
  }

  /// Defers a request, so that it does not wait for this worker's job: any worker of this kind can take it up.
  private func deferUnlessFree(_ delivery: Delivery) async {
    do {
      let outcome = try await deferral.settle(delivery, membership.epoch) { try await self.waitToDefer() }
      let deferred: JobID?
      switch outcome {
      case .settled(let id): deferred = id
      case .kept: return await route(delivery)
      case .outdated: return
      }
      await acknowledge(delivery)
      guard deferred != nil else { return }
      control.nudges.send(deferral.filter)
      if takesRequests { inbox.add(.look(rank, .told)) }
    } catch {
      logger.error("a request cannot be deferred, and stays with the broker: \(error)")
      drop()
      // A worker that has a job finishes it first.
      if takesRequests { inbox.add(.failure(error)) }
    }
  }

  /// Waits while deferring a request does not pay, and returns whether to defer it.
  ///
  /// A short job ends before a request could be deferred and taken up again; this worker, or its next process, then
  /// receives it from the broker. A full queue gives all workers enough to do. A clean session is lost with its
  /// connection, so its requests are deferred at once.
  private func waitToDefer() async throws -> Bool {
    guard options.start == .resume else { return !takesRequests || undecided != nil }
    while state.snapshot.isBusy, !state.snapshot.hasEnded {
      guard defersRequests else { return false }
      let untilJobIsLong = state.snapshot.began + shortJob - .now
      if untilJobIsLong <= .zero, try ledger.deferredQueue.count() < DeferredQueue.capacity { return true }
      await state.waitWhileBusy(atMost: untilJobIsLong > .zero ? untilJobIsLong : Self.betweenLooks)
    }
    return takesRequests && undecided != nil
  }
}
