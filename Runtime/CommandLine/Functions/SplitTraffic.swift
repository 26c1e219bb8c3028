import ArgumentParser
import FoundationEssentials
import Wire

struct RollBack: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Give a function's traffic to the version before the one that serves.")

    @Argument(help: "The function's name.")
    var name: String

    @OptionGroup var state: StateOption

    func run() async throws {
        let answer = try JSON(parsing: await ControlClient(state: state.directory).send("POST", "/functions/\(try pathSegment(name))/rollback"))
        print("\(name) \(answer["version"]?.string ?? "") serves.")
    }
}

struct SplitTraffic: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "traffic", abstract: "Split a function's traffic between kept versions.",
        discussion: "For example 'swiftlet functions traffic hello v3=90 v4=10'. A key gets the same version until the split changes.")

    @Argument(help: "The function's name.")
    var name: String

    @Argument(help: "VERSION=PERCENT, once per version; they add up to 100.")
    var shares: [String]

    @OptionGroup var state: StateOption

    func run() async throws {
        var percents: [String: JSON] = [:]
        for share in shares {
            let parts = share.split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].hasPrefix("v"), let version = Int(parts[0].dropFirst()), let percent = Int64(parts[1]),
                percents.updateValue(.integer(percent), forKey: "\(version)") == nil
            else { throw ValidationError("'\(share)' is not VERSION=PERCENT, each version once, for example v3=90 v4=10.") }
        }
        _ = try await ControlClient(state: state.directory).send("PUT", "/functions/\(try pathSegment(name))/traffic", .object(percents))
        print("\(name): \(shares.joined(separator: " "))")
    }
}

/// A function's name as part of a path.
func pathSegment(_ name: String) throws -> String {
    guard !name.isEmpty, name.utf8.allSatisfy({ UInt8(ascii: "!") <= $0 && $0 <= UInt8(ascii: "~") && !"/?#%".utf8.contains($0) }) else {
        throw CommandError("There is no function '\(name)'; 'swiftlet functions' lists those there are.")
    }
    return name
}
