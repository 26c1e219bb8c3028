import ArgumentParser
import FoundationEssentials
import Supervisor
import SwiftletSystem
import Wire

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show what a running system is doing.")

    @Flag(help: "Show it anew every second, until Ctrl-C.")
    var watch = false

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var state: StateOption

    func run() async throws {
        repeat {
            let status = try await SystemStatus.read(from: state.directory)
            let text = json ? String(decoding: try JSON.encode(status), as: UTF8.self) : try status.table()
            // Home, the text, and away with what is left of the last one.
            print(watch && !json ? "\u{1b}[H\u{1b}[J\(text)" : text)
            if watch { try await Task.sleep(for: .seconds(1)) }
        } while watch
    }
}

extension SystemStatus {
    fileprivate func table() throws -> String {
        let workers = functions.flatMap { function in
            function.versions.flatMap { version in
                version.workers.map { worker -> [JSON] in
                    [
                        .string(function.name), .string(version.version), .integer(Int64(worker.process)), .string(worker.state.rawValue),
                        .string(Self.span(worker.since)), .integer(Int64(worker.running)), .string(Self.size(worker.memory)),
                        .string(worker.calls.first.map { "\($0.invocation ?? "probe") for \(Self.span($0.since))" } ?? ""),
                    ]
                }
            }
        }
        let functionTable = Report(
            columns: ["function", "version", "state", "traffic", "workers", "running", "waiting", "problem"],
            rows: functions.flatMap { function -> [[JSON]] in
                let problem = function.problem.map(JSON.string) ?? .null
                guard !function.versions.isEmpty else { return [[.string(function.name), .null, "refused", .null, .null, .null, .null, problem]] }
                return function.versions.enumerated().map { index, version in
                    [
                        .string(index == 0 ? function.name : ""), .string(version.version), .string(version.state.rawValue),
                        .string(version.traffic > 0 ? "\(version.traffic)%" : ""), .integer(Int64(version.workers.count)),
                        .integer(Int64(version.workers.reduce(0) { $0 + $1.running })), .integer(Int64(version.waiting)),
                        index == 0 ? problem : .null,
                    ]
                }
            })
        let workerTable = Report(columns: ["worker_of", "version", "process", "state", "since", "running", "memory", "longest_call"], rows: workers)
        let modelTable = Report(
            columns: ["model", "state", "process", "running", "waiting", "idle", "memory", "file"],
            rows: models.map { model in
                [
                    .string(model.alias), .string(model.state.rawValue), model.process.map { .integer(Int64($0)) } ?? .null,
                    .integer(Int64(model.running)), .integer(Int64(model.waiting)),
                    .string(model.state == .warm && model.running == 0 ? Self.span(model.idle) : ""),
                    .string(model.process == nil ? "" : Self.size(model.memory)), .string(model.file),
                ]
            })
        let head = "process \(process), up \(Self.span(uptime)), memory \(Self.size(memory))"
        return try ([head] + [functionTable, workerTable, modelTable].filter { !$0.rows.isEmpty }.map { try $0.text(as: .table) })
            .joined(separator: "\n\n")
    }

    /// `90ms`, `12s`, `5m 3s`, `2h 5m`, `3d 4h`.
    private static func span(_ seconds: Double) -> String {
        let whole = Int(seconds)
        return switch seconds {
        case ..<1: "\(Int(seconds * 1000))ms"
        case ..<60: "\(whole)s"
        case ..<3600: "\(whole / 60)m \(whole % 60)s"
        case ..<86400: "\(whole / 3600)h \(whole / 60 % 60)m"
        default: "\(whole / 86400)d \(whole / 3600 % 24)h"
        }
    }

    private static func size(_ bytes: Int) -> String { "\((bytes + 1 << 19) >> 20)MiB" }
}
