// swift-tools-version: 6.2
import PackageDescription

/// What every target of the project is compiled with.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("ExistentialAny"),
  .treatAllWarnings(as: .error),
]

let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

/// The pages of the web UI and what they load, compiled in.
let webFiles = [
  "layout.html", "calls.html", "rows.html", "call.html", "replay.html", "thread.html", "trace.html", "diff.html",
  "usage.html", "identities.html", "store.html", "login.html", "error.html", "app.css", "app.js", "replay.js",
  "icon.svg",
]

let package = Package(
  name: "tapedeck",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "tapedeck", targets: ["tapedeck"]),
    .executable(name: "tapedeck-live", targets: ["tapedeck-live"]),
    .library(name: "TapeRecorder", targets: ["TapeRecorder"]),
    .library(name: "TapeReplay", targets: ["TapeReplay"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
  ],
  targets: [
    // System libraries.
    .systemLibrary(
      name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]),
    .systemLibrary(
      name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"]), .brew(["curl"])]),
    .target(name: "CTapeShims"),

    // The nouns, and the two grammars everything else reads.
    .target(name: "TapeTypes", swiftSettings: strict),
    .target(name: "TapeJSON", dependencies: ["TapeTypes"], swiftSettings: strict),
    .target(name: "TapeSSE", swiftSettings: strict),

    // What must not get on tape, and the configuration file that says so.
    .target(name: "TapeRedaction", dependencies: ["TapeTypes", "TapeJSON", crypto], swiftSettings: strict),
    .target(name: "TapeConfiguration", dependencies: ["TapeTypes", "TapeRedaction"], swiftSettings: strict),

    // What proxy and replay server stand on: one thread with one epoll set, and inbound HTTP/1.
    .target(name: "TapeLoop", dependencies: ["TapeTypes", "CTapeShims"], swiftSettings: strict),
    .target(
      name: "TapeHTTP",
      dependencies: [
        "TapeTypes", "TapeJSON", "TapeLoop", "CTapeShims",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      swiftSettings: strict),

    // Recorder -> archive -> indexer -> catalogue -> query.
    .target(
      name: "TapeArchive",
      dependencies: ["TapeTypes", "TapeJSON", "CZstd", "CTapeShims", crypto, logging],
      swiftSettings: strict),
    .target(
      name: "TapeRecorder",
      dependencies: [
        "TapeTypes", "TapeJSON", "TapeSSE", "TapeRedaction", "TapeLoop", "TapeArchive", "CCurl", "CTapeShims", crypto,
        logging,
      ],
      swiftSettings: strict),
    .target(
      name: "TapeProxy",
      dependencies: [
        "TapeTypes", "TapeJSON", "TapeRedaction", "TapeLoop", "TapeHTTP", "TapeArchive", "TapeRecorder", logging,
      ],
      swiftSettings: strict),
    .target(name: "TapeDialects", dependencies: ["TapeTypes", "TapeJSON", "TapeSSE", crypto], swiftSettings: strict),
    .target(
      name: "TapePricing", dependencies: ["TapeTypes", "TapeJSON"],
      resources: [.embedInCode("../../schema/prices.json")], swiftSettings: strict),
    .target(
      name: "TapeCatalogue",
      dependencies: [
        "TapeTypes", "TapeJSON", .product(name: "GRDB", package: "GRDB.swift"),
        .product(name: "GRDBSQLite", package: "GRDB.swift"),
      ],
      resources: [.embedInCode("../../schema/catalogue.sql")], swiftSettings: strict),
    .target(
      name: "TapeIndexer",
      dependencies: ["TapeTypes", "TapeJSON", "TapeArchive", "TapeDialects", "TapeCatalogue", crypto, logging],
      swiftSettings: strict),
    .target(
      name: "TapeQuery",
      dependencies: [
        "TapeTypes", "TapeJSON", "TapeSSE", "TapeArchive", "TapeDialects", "TapeCatalogue", "TapePricing",
      ],
      swiftSettings: strict),
    .target(
      name: "TapeReplay", dependencies: ["TapeTypes", "TapeArchive", "TapeQuery"], swiftSettings: strict),
    .target(
      name: "TapeReplayServer",
      dependencies: [
        "TapeTypes", "TapeJSON", "TapeRedaction", "TapeLoop", "TapeHTTP", "TapeArchive", "TapeReplay", crypto, logging,
      ],
      swiftSettings: strict),
    .target(
      name: "TapeExport",
      dependencies: ["TapeTypes", "TapeJSON", "TapeSSE", "TapeArchive", "TapeQuery"], swiftSettings: strict),
    .target(
      name: "TapeOTLP",
      dependencies: [
        "TapeTypes", "TapeJSON", "TapeSSE", "TapeDialects", crypto,
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      exclude: ["Generated/generate.py", "Generated/LICENSE"], swiftSettings: strict),
    .target(
      name: "TapeWeb",
      dependencies: [
        "TapeTypes", "TapeJSON", "TapeArchive", "TapeDialects", "TapeQuery", "TapeExport", "CTapeShims", crypto,
        logging,
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "Mustache", package: "swift-mustache"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
      ],
      resources: webFiles.map { .embedInCode("../../dashboards/web/\($0)") },
      swiftSettings: strict),
    .target(
      name: "TapeDemo",
      dependencies: [
        "TapeTypes", "TapeJSON",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ], swiftSettings: strict),

    // Two executables: asking needs neither libcurl nor a server in its process, and starts faster for it.
    .target(
      name: "TapeCommands",
      dependencies: [
        "TapeTypes", "TapeJSON", "TapeSSE", "TapeArchive", "TapeIndexer", "TapeQuery", "TapeReplay", "TapeExport",
        "TapePricing", "TapeCatalogue", "TapeConfiguration", "TapeRedaction", "CTapeShims", arguments, logging,
      ],
      exclude: ["manual.py", "tapedeck.service"], swiftSettings: strict),
    .executableTarget(
      name: "tapedeck", dependencies: ["TapeCommands", "CTapeShims", arguments], swiftSettings: strict),
    .executableTarget(
      name: "tapedeck-live",
      dependencies: [
        "TapeCommands", "TapeTypes", "TapeJSON", "TapeArchive", "TapeRecorder", "TapeProxy", "TapeIndexer", "TapeQuery",
        "TapePricing", "TapeReplay", "TapeReplayServer", "TapeWeb", "TapeDemo", "TapeConfiguration", "TapeRedaction",
        "TapeOTLP", "CTapeShims", arguments, logging,
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ], swiftSettings: strict),

    // Tests mirror the targets; vectors and fixtures lie beside them.
    .target(
      name: "TapeTestSupport", dependencies: ["TapeArchive", "TapeTypes", "TapeJSON", "CZstd", logging],
      path: "Tests/TapeTestSupport", swiftSettings: strict),
    .testTarget(
      name: "TapeRedactionTests", dependencies: ["TapeRedaction", "TapeTypes", "TapeJSON"], swiftSettings: strict),
    .testTarget(
      name: "TapeConfigurationTests", dependencies: ["TapeConfiguration", "TapeRedaction", "TapeTypes"],
      swiftSettings: strict),
    .testTarget(name: "TapeTypesTests", dependencies: ["TapeTypes"], swiftSettings: strict),
    .testTarget(name: "TapeJSONTests", dependencies: ["TapeJSON"], swiftSettings: strict),
    .testTarget(name: "TapeSSETests", dependencies: ["TapeSSE", "TapeJSON"], swiftSettings: strict),
    .testTarget(
      name: "TapeDialectsTests",
      dependencies: ["TapeTestSupport", "TapeDialects", "TapeTypes", "TapeJSON", "TapeSSE", crypto],
      swiftSettings: strict),
    .testTarget(
      name: "TapePricingTests", dependencies: ["TapeTestSupport", "TapePricing", "TapeTypes", "TapeJSON"],
      swiftSettings: strict),
    .testTarget(
      name: "TapeArchiveTests",
      dependencies: [
        "TapeTestSupport", "TapeArchive", "TapeTypes", "TapeJSON", "TapeSSE", "CTapeShims", crypto, logging,
      ],
      exclude: ["Golden"],
      swiftSettings: strict),
    .testTarget(
      name: "TapeSimulationTests",
      dependencies: [
        "TapeTestSupport", "TapeArchive", "TapeIndexer", "TapeCatalogue", "TapeTypes", logging,
      ], swiftSettings: strict),
    .testTarget(name: "TapeLoopTests", dependencies: ["TapeLoop"], swiftSettings: strict),
    .testTarget(
      name: "TapeRecorderTests", dependencies: ["TapeRecorder", "TapeArchive", "TapeTypes", "TapeJSON", "TapeSSE"],
      swiftSettings: strict),
    .testTarget(
      name: "TapeImportTests",
      dependencies: [
        "TapeTestSupport", "TapeRecorder", "TapeExport", "TapeArchive", "TapeTypes", "TapeJSON", crypto, logging,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "TapeProxyTests",
      dependencies: [
        "TapeProxy", "TapeHTTP", "TapeRecorder", "TapeArchive", "TapeTypes", "TapeJSON", logging,
        .product(name: "NIOCore", package: "swift-nio"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "TapeIndexerTests",
      dependencies: [
        "TapeTestSupport", "TapeIndexer", "TapeCatalogue", "TapeArchive", "TapeDialects", "TapeSSE", "TapeTypes",
        "TapeJSON", logging,
      ], swiftSettings: strict),
    .testTarget(
      name: "TapeQueryTests",
      dependencies: [
        "TapeTestSupport", "TapeQuery", "TapeIndexer", "TapeCatalogue", "TapeArchive", "TapeDialects", "TapePricing",
        "TapeTypes",
        "TapeJSON", logging,
      ], swiftSettings: strict),
    .testTarget(
      name: "TapeReplayTests",
      dependencies: [
        "TapeTestSupport", "TapeReplay", "TapeIndexer", "TapeArchive", "TapeTypes", logging,
      ], swiftSettings: strict),
    .testTarget(
      name: "TapeReplayServerTests",
      dependencies: [
        "TapeTestSupport", "TapeReplayServer", "TapeReplay", "TapeRedaction", "TapeArchive", "TapeTypes", "TapeJSON",
      ], swiftSettings: strict),
    .testTarget(
      name: "TapeOTLPTests",
      dependencies: [
        "TapeOTLP", "TapeTypes", "TapeJSON", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ], swiftSettings: strict),
    .testTarget(
      name: "TapeWebTests",
      dependencies: [
        "TapeWeb", "TapeJSON", "TapeArchive", "TapeIndexer", "TapeQuery", "TapeTestSupport", "TapeTypes",
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Mustache", package: "swift-mustache"),
      ], swiftSettings: strict),
    .testTarget(
      name: "TapeCommandsTests", dependencies: ["TapeCommands", "TapeQuery", "TapeTypes", "TapeJSON"],
      swiftSettings: strict),

    // Each decoder with any bytes: `make fuzz` looks for new ones, the tests take those of the corpus.
    .target(
      name: "FuzzTargets",
      dependencies: [
        "TapeTypes", "TapeJSON", "TapeSSE", "TapeArchive", "TapeDialects", "TapeRecorder", "TapeRedaction",
        "TapeConfiguration", "CZstd", crypto, logging,
      ],
      path: "Tests/Fuzz/Targets", swiftSettings: strict),
    .testTarget(
      name: "FuzzCorpusTests", dependencies: ["FuzzTargets"], path: "Tests/Fuzz/Tests", swiftSettings: strict),
  ]
)

// libFuzzer's runtime is there only in a build that is instrumented for it.
if Context.environment["TAPEDECK_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "tapedeck-fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzz/Driver", swiftSettings: strict))
}
