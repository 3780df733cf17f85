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
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")

let package = Package(
  name: "mqtt-fs-worker",
  products: [
    .executable(name: "mqtt-fs-worker", targets: ["mqtt-fs-worker"]),
    .executable(name: "mqtt-fs-board", targets: ["mqtt-fs-board"]),
    .library(name: "FileTree", targets: ["FileTree"]),
    .library(name: "MQTT", targets: ["MQTT"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
  ],
  targets: [
    .target(
      name: "CMosquitto",
      linkerSettings: [.linkedLibrary("mosquitto"), .linkedLibrary("ssl"), .linkedLibrary("crypto")]),
    .target(name: "CLinux"),
    .target(name: "FileTree", dependencies: ["CLinux", system, crypto], swiftSettings: strict),
    .target(name: "MQTT", dependencies: ["CMosquitto", logging], swiftSettings: strict),
    .target(name: "Jobs", dependencies: ["FileTree", crypto, system], swiftSettings: strict),
    .target(name: "Signing", dependencies: ["Jobs", crypto], swiftSettings: strict),
    .target(name: "Volume", dependencies: ["CLinux", "Jobs", "FileTree", system, logging], swiftSettings: strict),
    .target(name: "Steps", dependencies: ["CLinux", "Jobs", system, logging], swiftSettings: strict),
    .target(
      name: "Worker", dependencies: ["CLinux", "Volume", "Steps", "Signing", "Jobs", "FileTree", system, logging],
      swiftSettings: strict),
    .target(
      name: "Signaling",
      dependencies: ["CLinux", "Worker", "Steps", "MQTT", "Volume", "Signing", "Jobs", system, logging],
      swiftSettings: strict),
    .target(
      name: "Client",
      dependencies: ["CLinux", "Volume", "MQTT", "Signing", "Jobs", "FileTree", system, logging],
      swiftSettings: strict),
    .target(
      name: "Settings", dependencies: ["Client", "MQTT", "Steps", "Volume", "Jobs", system, logging, arguments],
      swiftSettings: strict),
    .executableTarget(
      name: "mqtt-fs-worker",
      dependencies: [
        "CLinux", "MQTT", "FileTree", "Jobs", "Signing", "Volume", "Steps", "Worker", "Signaling", "Client", "Settings",
        system, logging, arguments,
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "mqtt-fs-board",
      dependencies: [
        "CLinux", "MQTT", "Jobs", "Volume", "Client", "Settings", system, logging, crypto, arguments,
        .product(name: "FlyingFox", package: "FlyingFox"),
        .product(name: "FlyingSocks", package: "FlyingFox"),
      ],
      resources: [.embedInCode("page")],
      swiftSettings: strict),
    .target(
      name: "TestSupport", dependencies: ["Jobs", "MQTT", "Volume", system, logging], path: "Tests/TestSupport",
      exclude: ["retransmitting.py"], swiftSettings: strict),
    .executableTarget(
      name: "filetree-bench", dependencies: ["FileTree", system], path: "Benchmarks/filetree-bench",
      swiftSettings: strict),
    .testTarget(
      name: "FileTreeTests", dependencies: ["FileTree", "TestSupport", system, crypto], swiftSettings: strict),
    .testTarget(name: "MQTTTests", dependencies: ["MQTT", "TestSupport", system, logging], swiftSettings: strict),
    .testTarget(name: "JobsTests", dependencies: ["Jobs", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "SigningTests", dependencies: ["Signing", "Jobs", crypto], swiftSettings: strict),
    .testTarget(
      name: "VolumeTests", dependencies: ["Volume", "Jobs", "FileTree", "TestSupport", system, logging],
      swiftSettings: strict),
    .testTarget(
      name: "StepsTests", dependencies: ["Steps", "Jobs", "TestSupport", system, logging], swiftSettings: strict),
    .testTarget(
      name: "WorkerTests",
      dependencies: ["Worker", "Volume", "Steps", "Signing", "Jobs", "FileTree", "TestSupport", system, logging],
      swiftSettings: strict),
    .testTarget(
      name: "SignalingTests",
      dependencies: ["Signaling", "Worker", "Volume", "Signing", "Jobs", "MQTT", "TestSupport", system, logging],
      swiftSettings: strict),
    .testTarget(
      name: "ClientTests",
      dependencies: [
        "Client", "Steps", "Volume", "Signing", "Jobs", "FileTree", "MQTT", "TestSupport", system, logging,
      ],
      swiftSettings: strict),
    .testTarget(name: "HouseTests", swiftSettings: strict),
    .testTarget(
      name: "BoardTests", dependencies: ["mqtt-fs-board", "mqtt-fs-worker", "TestSupport", system],
      swiftSettings: strict),
    .testTarget(
      name: "EndToEndTests",
      dependencies: ["mqtt-fs-worker", "Settings", "FileTree", "MQTT", "Signing", "TestSupport", system],
      swiftSettings: strict),
  ]
)
