// swift-tools-version: 6.2

import PackageDescription

/// No flag is unsafe: SwiftPM lets no package depend on a product of which a target has one. Those of a release are in
/// toolset.json.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")

let package = Package(
  name: "mqtt-fs-worker",
  products: [
    .executable(name: "mqtt-fs-worker", targets: ["mqtt-fs-worker"]),
    .library(name: "FileTree", targets: ["FileTree"]),
    .library(name: "MQTT", targets: ["MQTT"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .systemLibrary(
      name: "CMosquitto", pkgConfig: "libmosquitto", providers: [.apt(["libmosquitto-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    .target(name: "CMosquittoCalls", dependencies: ["CMosquitto"]),
    .target(name: "MQTT", dependencies: ["CMosquitto", "CMosquittoCalls", "COpenSSL", logging], swiftSettings: strict),
    .target(name: "CLinux"),
    .systemLibrary(name: "CLinuxFiles"),
    .target(name: "FileTree", dependencies: ["CLinuxFiles", system, crypto], swiftSettings: strict),
    .target(
      name: "JobWorker", dependencies: ["CLinux", "FileTree", system, logging, crypto],
      swiftSettings: strict),
    .target(
      name: "Signaling", dependencies: ["CLinux", "MQTT", "JobWorker", system, logging],
      swiftSettings: strict),
    .target(name: "Signing", dependencies: [crypto], swiftSettings: strict),
    .target(
      name: "Controller",
      dependencies: ["CLinux", "CLinuxFiles", "MQTT", "FileTree", "JobWorker", "Signaling", system, logging],
      swiftSettings: strict),
    .executableTarget(
      name: "mqtt-fs-worker",
      dependencies: [
        "CLinux", "MQTT", "FileTree", "JobWorker", "Signaling", "Controller", "Signing", system, logging,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      swiftSettings: strict),
    .target(
      name: "TestSupport", dependencies: ["MQTT", system, logging], path: "Tests/TestSupport",
      exclude: ["retransmitting.py"], swiftSettings: strict),
    .executableTarget(
      name: "filetree-bench", dependencies: ["FileTree", system], path: "Benchmarks/filetree-bench",
      swiftSettings: strict),
    .testTarget(
      name: "MQTTTests", dependencies: ["MQTT", "TestSupport", system, logging], swiftSettings: strict),
    .testTarget(name: "FileTreeTests", dependencies: ["FileTree", system, crypto], swiftSettings: strict),
    .testTarget(
      name: "JobWorkerTests", dependencies: ["JobWorker", "FileTree", "TestSupport", system, logging],
      swiftSettings: strict),
    .testTarget(
      name: "SignalingTests", dependencies: ["Signaling", "JobWorker", "MQTT", "TestSupport", system, logging],
      swiftSettings: strict),
    .testTarget(
      name: "SigningTests", dependencies: ["Signing", "JobWorker", crypto], swiftSettings: strict),
    .testTarget(
      name: "ControllerTests",
      dependencies: ["Controller", "Signaling", "JobWorker", "FileTree", "MQTT", "TestSupport", system, logging],
      swiftSettings: strict),
    .testTarget(
      name: "EndToEndTests", dependencies: ["mqtt-fs-worker", "FileTree", "MQTT", "Signing", "TestSupport", system],
      swiftSettings: strict),
  ]
)
