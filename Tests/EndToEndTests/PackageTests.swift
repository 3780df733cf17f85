import Foundation
import SystemPackage
import TestSupport
import Testing

/// The Debian package, and what the image says of itself. `Tests/package.sh` installs the package.
@Suite struct PackageTests {
  private static let hasTools = ["dpkg-deb", "dpkg-shlibdeps", "strip"].allSatisfy(Checkout.hasProgram)

  /// Makes the package of the built worker in a folder of its own, and returns its path.
  private func package(_ scene: Scene, _ version: String...) async throws -> FilePath {
    let place = scene.files.appending("package-\(version.first ?? "")")
    try FileManager.default.createDirectory(atPath: place.string, withIntermediateDirectories: true)
    let environment = scene.environment.merging([
      "DEB_COMPRESSION": "none", "DEBEMAIL": "somebody@example.org", "SOURCE_DATE_EPOCH": "1750000000",
    ]) { $1 }
    let build = try scene.start(
      Checkout.root.pushing(FilePath("packaging/build-deb")), [WorkerProcess.executable.string] + version,
      environment: environment, in: place, name: "build-deb")
    #expect(try await build.end() == .code(0), "\(build.errors)")
    return place.appending(build.output.trimmingCharacters(in: .newlines))
  }

  private func output(_ scene: Scene, _ program: String, _ arguments: String...) async throws -> String {
    let file = try program.contains("/") ? FilePath(program) : installed(program)
    let run = try scene.start(file, arguments, name: "tool")
    #expect(try await run.end() == .code(0), "\(run.errors)")
    return run.output
  }

  @Test(.enabled(if: PackageTests.hasTools, "needs dpkg-dev"))
  func packageHoldsAllThatBelongsToTheWorker() async throws {
    try await Scene.play(.down) { scene in
      let version = try await scene.run(["--version"]).output.trimmingCharacters(in: .newlines)
      let package = try await package(scene)
      let number = try #require(version.split(separator: " ").last)
      #expect(package.lastComponent?.string.hasPrefix("mqtt-fs-worker_\(number)-1_") == true)
      let control = try await output(scene, "dpkg-deb", "-f", package.string)
      for word in ["libmosquitto1", "libssl3", "libc6 (>= 2", "adduser"] {
        #expect(control.contains(word), "\(control)")
      }
      #expect(control.contains("Maintainer: mqtt-fs-worker maintainers <somebody@example.org>\n"))
      let list = try await output(scene, "dpkg-deb", "-c", package.string)
      #expect(list.split(separator: "\n").allSatisfy { $0.contains(" root/root ") })

      let root = scene.files.appending("root")
      _ = try await output(scene, "dpkg-deb", "-R", package.string, root.string)
      let files = scene.listing(root).filter { !$0.hasSuffix("/") }
      let pages = try FileManager.default.contentsOfDirectory(
        atPath: Checkout.root.pushing(FilePath("docs/man")).string)
      let expected = [
        "etc/mqtt-fs-worker/worker.env", "usr/bin/mqtt-fs-worker",
        "usr/share/bash-completion/completions/mqtt-fs-worker", "usr/share/zsh/vendor-completions/_mqtt-fs-worker",
        "usr/share/fish/vendor_completions.d/mqtt-fs-worker.fish",
        "usr/lib/systemd/system/mqtt-fs-worker@.service", "usr/lib/systemd/system/mqtt-fs-worker-prune.service",
        "usr/lib/systemd/system/mqtt-fs-worker-prune.timer", "usr/share/doc/mqtt-fs-worker/copyright",
        "usr/share/doc/mqtt-fs-worker/changelog.gz", "usr/share/doc/mqtt-fs-worker/changelog.Debian.gz",
        "usr/share/doc/mqtt-fs-worker/README.Debian",
      ]
      #expect(
        files.filter { !$0.hasPrefix("DEBIAN/") } == Set(expected + pages.map { "usr/share/man/man1/\($0).gz" }))
      let unit = "usr/lib/systemd/system/mqtt-fs-worker@.service"
      #expect(
        try String(contentsOfFile: root.pushing(FilePath(unit)).string, encoding: .utf8)
          == String(
            contentsOfFile: Checkout.root.pushing(FilePath("examples/systemd/mqtt-fs-worker@.service")).string,
            encoding: .utf8))
      let folder = root.appending("usr/share/man/man1")
      let page = try await output(scene, "gzip", "-dc", folder.appending("mqtt-fs-worker-submit.1.gz").string)
      #expect(page.contains(".SH EXAMPLES"))
      let link = folder.appending("mqtt-fs-worker-work.1.gz").string
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "mqtt-fs-worker.1.gz")
      _ = try await output(scene, "sh", "-euc", "cd '\(root)' && md5sum --quiet -c DEBIAN/md5sums")
      #expect(try await output(scene, root.appending("usr/bin/mqtt-fs-worker").string, "--version") == "\(version)\n")
    }
  }

  @Test(.enabled(if: PackageTests.hasTools, "needs dpkg-dev"))
  func packageIsTheSameWheneverItIsMade() async throws {
    try await Scene.play(.down) { scene in
      let first = try await package(scene, "1.2~rc.1-3")
      #expect(first.lastComponent?.string.hasPrefix("mqtt-fs-worker_1.2~rc.1-3_") == true)
      let digest = try await output(scene, "sha256sum", first.string)
      try scene.remove(first)
      #expect(try await output(scene, "sha256sum", package(scene, "1.2~rc.1-3").string) == digest)
    }
  }

  @Test func imageIsLabeledWithTheVersionOfTheSources() async throws {
    try await Scene.play(.down) { scene in
      let version = try await scene.run(["--version"]).output.split(whereSeparator: \.isWhitespace).last ?? ""
      let file = try String(contentsOfFile: Checkout.root.appending("Dockerfile").string, encoding: .utf8)
      #expect(file.contains("\nARG VERSION=\(version)\n"))
      #expect(file.contains(#"org.opencontainers.image.version="${VERSION}""#))
    }
  }
}
