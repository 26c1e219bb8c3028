// swift-tools-version: 6.2
import Foundation
import PackageDescription

let package = Package(
    name: "swiftlet",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.6.4"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ]
)

let swift6: [SwiftSetting] = [.swiftLanguageMode(.v6), .enableUpcomingFeature("MemberImportVisibility")]
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let sqlite = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let mustache = Target.Dependency.product(name: "Mustache", package: "swift-mustache")
let files = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let yaml = Target.Dependency.product(name: "Yams", package: "Yams")

/// One room of the house: a folder that is one target.
@MainActor func room(_ name: String, in folder: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) {
    package.targets.append(
        .target(name: name, dependencies: dependencies, path: "\(folder)/\(name)", exclude: exclude, swiftSettings: swift6))
}

/// Programs carry Swift's runtime with them, so that a worker starts in milliseconds and installs as one file. The flag is given
/// to the linker alone, not as `--static-swift-stdlib` to the whole build, because Testing exists only as a dynamic library:
/// this way programs and tests share one build. The libraries are what Foundation's static archives need, in their order.
let staticRuntime = LinkerSetting.unsafeFlags(
    ["-static-stdlib", "-Xlinker", "--strip-debug"]
        + [
            "CoreFoundation", "FoundationInternationalization", "FoundationEssentials", "_FoundationCollections", "_FoundationCShims",
            "_FoundationICU", "swiftSynchronization", "dispatch", "BlocksRuntime",
        ].flatMap { ["-Xlinker", "-l\($0)"] },
    .when(platforms: [.linux]))

@MainActor func program(_ name: String, at path: String, _ dependencies: [Target.Dependency], exclude: [String] = []) {
    package.targets.append(
        .executableTarget(
            name: name, dependencies: dependencies, path: path, exclude: exclude, swiftSettings: swift6, linkerSettings: [staticRuntime]))
}

// MARK: Runtime

package.targets += [
    .target(name: "CSwiftletSystem", path: "Runtime/System/Shims"),
    .target(name: "CCurl", path: "Runtime/HTTPClient/Shims"),
    .systemLibrary(name: "CFCGI", path: "Runtime/FunctionKit/FCGI", pkgConfig: "fcgi", providers: [.apt(["libfcgi-dev"])]),
    .target(name: "Kernels", path: "Runtime/Kernels", cSettings: [.unsafeFlags(["-O3"])]),
    .executableTarget(name: "swiftlet-launch", path: "Runtime/Launcher"),
]
// Named apart from its folder because libraries below test `canImport(System)`.
package.targets.append(
    .target(
        name: "SwiftletSystem", dependencies: ["CSwiftletSystem", files], path: "Runtime/System", exclude: ["Shims"], swiftSettings: swift6))
room("Wire", in: "Runtime")
room("Grammar", in: "Runtime", ["Wire"])
room("HTTPClient", in: "Runtime", ["CCurl", "SwiftletSystem"], exclude: ["Shims"])
room("Jinja", in: "Runtime")
room("Inference", in: "Runtime", ["Grammar", "Jinja", "Wire", "Kernels", "SwiftletSystem", .product(name: "Crypto", package: "swift-crypto")], exclude: ["DemoModel"])
room("Ledger", in: "Runtime", ["Wire", "SwiftletSystem", sqlite, .product(name: "GRDBSQLite", package: "GRDB.swift"), files, .product(name: "Crypto", package: "swift-crypto")])
room("FunctionKit", in: "Runtime", ["Wire", "HTTPClient", "SwiftletSystem", "CFCGI", logging], exclude: ["FCGI"])
room("Supervisor", in: "Runtime", [
    "HTTPClient", "SwiftletSystem", "Wire", yaml, mustache, logging, .product(name: "Crypto", package: "swift-crypto"),
    .product(name: "Subprocess", package: "swift-subprocess"),
])
program("swiftlet-host", at: "Runtime/ModelHost", [
    "Grammar", "Inference", "Ledger", "SwiftletSystem", "Wire", hummingbird, files, logging,
    .product(name: "ArgumentParser", package: "swift-argument-parser"),
    .product(name: "HummingbirdCore", package: "hummingbird"),
    .product(name: "HTTPTypes", package: "swift-http-types"),
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
    .product(name: "UnixSignals", package: "swift-service-lifecycle"),
])
program("swiftlet-prompt", at: "Runtime/PromptRunner", ["FunctionKit", mustache])

// MARK: Gateway

room("FastCGI", in: "Gateway", [
    .product(name: "HummingbirdCore", package: "hummingbird"),
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
    .product(name: "HTTPTypes", package: "swift-http-types"),
    logging,
])
room("Nginx", in: "Gateway", ["SwiftletSystem", mustache])
room("Identity", in: "Gateway", ["HTTPClient", "Wire", .product(name: "JWTKit", package: "jwt-kit")])
room("ResponseCache", in: "Gateway", ["Ledger", "SwiftletSystem", "Wire", sqlite, files, .product(name: "Crypto", package: "swift-crypto")])
room("Front", in: "Gateway", [
    "FastCGI", "ResponseCache", "Supervisor", "Ledger", "HTTPClient", "Identity", "Wire", "SwiftletSystem", hummingbird, .product(name: "Crypto", package: "swift-crypto"),
    .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
])
program("swiftlet", at: "Runtime/CommandLine", [
    "Front", "Nginx", "Supervisor", "Inference", "Jinja", "Ledger", "HTTPClient", "SwiftletSystem", "Wire", mustache,
    .product(name: "ArgumentParser", package: "swift-argument-parser"),
    .product(name: "Crypto", package: "swift-crypto"),
    .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
    .product(name: "UnixSignals", package: "swift-service-lifecycle"),
])

// MARK: Functions: every folder that holds Swift is a handler; the rest are templates or other languages

let extras: [String: [Target.Dependency]] = ["Retrieve": [sqlite], "Feedback": [sqlite]]
let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
func names(in path: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent(path).path)) ?? []).sorted()
}
func holdsSwift(_ path: String) -> Bool { names(in: path).contains { $0.hasSuffix(".swift") } }
for folder in names(in: "Functions") where holdsSwift("Functions/\(folder)") {
    // A folder in it is a library of the function: what it decides apart from what it does, within reach of tests.
    let libraries = names(in: "Functions/\(folder)").filter { holdsSwift("Functions/\(folder)/\($0)") }
    for library in libraries {
        package.targets.append(
            .target(name: folder + library, dependencies: ["FunctionKit"], path: "Functions/\(folder)/\(library)", swiftSettings: swift6))
    }
    program(
        folder.lowercased(), at: "Functions/\(folder)",
        ["FunctionKit"] + extras[folder, default: []] + libraries.map { .target(name: folder + $0) },
        exclude: names(in: "Functions/\(folder)").filter { !$0.hasSuffix(".swift") })
}

// What the benchmarks call.
program("benchmark-hello", at: "Tests/Benchmarks/hello", ["FunctionKit"])
program("benchmark-masks", at: "Tests/Benchmarks/masks", ["Grammar", "Inference", "Wire"])

// MARK: Tests: Tests/SomethingTests tests the room `Something`

room("TestSupport", in: "Tests")

let alsoTested: [String: [Target.Dependency]] = [
    "FastCGI": [hummingbird, .product(name: "NIOEmbedded", package: "swift-nio")],
    "Front": ["FastCGI", "Ledger", "Wire", .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio")],
    "Grammar": ["TestSupport", "Wire"],
    "Inference": ["Grammar", "Jinja", "TestSupport", "Wire"],
    "Jinja": ["TestSupport", "Wire"],
    "Ledger": [sqlite],
    "Nginx": ["SwiftletSystem"],
    "ResponseCache": ["Ledger", "SwiftletSystem", sqlite, .product(name: "Crypto", package: "swift-crypto")],
    "Identity": [.product(name: "JWTKit", package: "jwt-kit")],
]
for folder in names(in: "Tests") where folder.hasSuffix("Tests") {
    let tested = String(folder.dropLast("Tests".count))
    package.targets.append(
        .testTarget(
            name: folder, dependencies: [.target(name: tested)] + alsoTested[tested, default: []], path: "Tests/\(folder)",
            exclude: names(in: "Tests/\(folder)").filter { !$0.hasSuffix(".swift") && $0 != "Fixtures" },
            resources: names(in: "Tests/\(folder)").contains("Fixtures") ? [.copy("Fixtures")] : [], swiftSettings: swift6))
}
