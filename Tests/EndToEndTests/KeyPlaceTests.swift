import Glibc
import SystemPackage
import TestSupport
import Testing

/// Places for a worker's key: only root and the worker's user may be able to replace it.
@Suite struct KeyPlaceTests {
  /// Runs the script `way`, which makes a place for `key.pem` and prints its path, and returns how a worker with that
  /// key ends.
  private func start(_ scene: Scene, _ way: String) async throws -> (end: ProcessEnd, errors: String) {
    let path = try await scene.shell("umask 022; \(way)").split(separator: "\n").last.map(String.init) ?? ""
    let run = try await scene.run(
      [
        "-u", scene.broker.url, "-j", scene.jobs.string, "-w", scene.workspaces.string, "--verify-key", path,
        "--idle-timeout", "1s",
      ], in: scene.files)
    return (run.end, run.errors)
  }

  private func makeKey(_ scene: Scene) async throws {
    try await scene.shell(
      "umask 022; openssl genpkey -algorithm ed25519 -out sign.pem; openssl pkey -in sign.pem -pubout -out key.pem")
  }

  /// A forger knows the public key.
  @Test(arguments: [
    "sed -n 2p key.pem >half.pem; echo half.pem",
    "openssl pkey -pubin -in key.pem -outform DER | tail -c 32 | base64 >bare; echo bare",
    "openssl pkey -pubin -in key.pem -outform DER | tail -c 32 | od -An -tx1 | tr -d ' \n' >hex; echo hex",
    "openssl pkey -pubin -in key.pem -outform DER | tail -c 32 >raw; echo raw",
  ])
  func publicKeyInAnotherFormIsNotTakenForASecret(_ way: String) async throws {
    try await expectRefusal(of: way, for: "does not say that it is a secret", advising: "hs256:")
  }

  private func expectRefusal(of way: String, for reason: String, advising advice: String) async throws {
    try await Scene.play { scene in
      try await makeKey(scene)
      let run = try await start(scene, way)
      #expect(run.end == .code(78), "\(run.errors)")
      #expect(run.errors.contains(reason) && run.errors.contains(advice), "\(run.errors)")
    }
  }

  @Test(arguments: [
    "mkdir -p a/b; cp key.pem a/b; chmod o+w a; echo a/b/key.pem",
    "mkdir a; cp key.pem a; chmod g+w a; echo $PWD/a/key.pem",
    "cp key.pem open.pem; chmod g+w open.pem; echo open.pem",
    // Through a link to a folder or to the file, and through a link that leads over another.
    "mkdir a; cp key.pem a; chmod o+w a; ln -s a link; echo link/key.pem",
    "mkdir a; cp key.pem a; chmod o+w a; ln -s $PWD/a/key.pem link.pem; echo link.pem",
    "mkdir a; chmod o+w a; ln -s ../key.pem a/link.pem; ln -s a/link.pem two.pem; echo two.pem",
    "mkdir -p a/b; chmod o+w a; echo a/b/../../key.pem",
  ])
  func keyThatOthersCouldExchangeIsNotTaken(_ way: String) async throws {
    try await expectRefusal(of: way, for: "other users may write to", advising: "chmod go-w")
  }

  @Test(
    .enabled(if: geteuid() == 0, "only root gives files away"),
    arguments: [
      "mkdir a; cp key.pem a; chown 4321 a; echo a/key.pem",
      "cp key.pem other.pem; chown 4321 other.pem; echo other.pem",
      // The sticky bit protects files of root and of the worker's user.
      "mkdir a; chmod 1777 a; mkdir a/b; cp key.pem a/b; chown 4321 a/b; echo a/b/key.pem",
      "mkdir a; chmod 1777 a; ln -s ../key.pem a/link; chown -h 4321 a/link; echo a/link",
      "mkdir a; cp key.pem a; chmod 1777 a; chown 4321 a; echo a/key.pem",
    ])
  func keyThatAThirdUserCouldExchangeIsNotTaken(_ way: String) async throws {
    try await expectRefusal(of: way, for: "belongs to user 4321", advising: "chown")
  }

  @Test(arguments: [
    "echo key.pem", "mkdir a; cp key.pem a; chmod 1777 a; echo a/key.pem",
    // The layout of a Kubernetes Secret.
    "mkdir -p s/..data.1; cp key.pem s/..data.1; ln -s ..data.1 s/..data; ln -s ..data/key.pem s/key.pem; chmod 1777 s; echo s/key.pem",
    "mkdir a; ln -s $PWD/key.pem a/link; chmod 755 a; echo a/../a/./link",
  ])
  func keyThatNobodyElseCanExchangeIsTaken(_ way: String) async throws {
    try await Scene.play { scene in
      try await makeKey(scene)
      let run = try await start(scene, way)
      #expect(run.end == .code(0), "\(run.errors)")
    }
  }

  @Test func linksThatLeadInACircleAreToldOf() async throws {
    try await Scene.play { scene in
      let run = try await start(scene, "ln -s one two; ln -s two one; echo one")
      #expect(run.end == .code(78) && run.errors.contains("symbolic links"), "\(run.errors)")
    }
  }
}
