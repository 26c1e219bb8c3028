import Synchronization

extension HTTPClient {
    package struct Progress: Hashable, Sendable {
        /// Bytes in the file, those of earlier attempts included.
        package var received: Int64
        /// The file's size, where the server says it.
        package var total: Int64?
    }

    /// Fetches `url` (`https://`, `http://` or `file://`) into the file `path`, which appears only when it is complete.
    ///
    /// Until then the bytes are in `path.part`; the next call goes on from there. Redirects are followed. Whether it is the
    /// right file is for the caller to check, by its hash.
    /// - Parameter resume: `false` throws away what an earlier call left.
    /// - Parameter progress: called for every piece, on a thread that may block for a moment.
    /// - Throws: ``HTTPError``: `status` where the server refuses, `file` where the disk does, or `CancellationError`.
    package static func download(
        _ url: String, to path: String, headers: [Field] = [], resume: Bool = true,
        timeouts: Timeouts = Timeouts(connect: .seconds(30), idle: .seconds(60)),
        progress: @escaping @Sendable (Progress) -> Void = { _ in }
    ) async throws {
        // A thread of its own: writing to a disk blocks, and other calls must not wait for that.
        let driver = try Driver()
        defer { driver.stop() }
        let request = Request(url: url, headers: headers, timeouts: timeouts)
        let download = try FileDownload(of: request, to: path, resume: resume, progress: progress)
        defer { download.close() }
        do {
            try await download.run(on: driver)
        } catch let error as HTTPError where error.code == .status(416) && download.hasBeginning {
            // What is there is no beginning of what the server has now.
            try download.startOver()
            try await download.run(on: driver)
        }
    }
}
