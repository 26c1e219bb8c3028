import CFCGI
import Logging
import SwiftletSystem

/// One thread's share of the work: connection after connection, and on each, request after request.
///
/// Everything for a request happens on this thread: libfcgi's work and, between its waits, the handler's. While the handler waits,
/// this thread waits for what it needs, for the client's hang-up and for the deadline.
final class RequestLoop {
    private let server: Server
    private let event = Event()
    private let thread: RequestThread
    /// At an address of its own, because libfcgi's streams point to it.
    private let fcgi = UnsafeMutablePointer<FCGX_Request>.allocate(capacity: 1)
    private let buffer = UnsafeMutableBufferPointer<CChar>.allocate(capacity: 65536)
    /// The request can still be answered.
    private var isOpen = false

    init(_ server: Server) {
        self.server = server
        thread = RequestThread(waking: event)
        FCGX_InitRequest(fcgi, 0, 0)
    }

    deinit {
        fcgi.deallocate()
        buffer.deallocate()
    }

    func run() {
        while let connection = server.acceptor.accept() {
            limitBlocking(connection, seconds: 60)
            // As libfcgi leaves a connection that is kept, which makes it read the next request from there.
            fcgi.pointee.ipcFd = connection
            fcgi.pointee.keepConnection = 1
            while fcgi.pointee.ipcFd >= 0 { serveNext() }
        }
    }

    private func serveNext() {
        let news = waitForNews(on: fcgi.pointee.ipcFd, reading: true, or: server.stopping)
        // A request that is already here is still answered; an idle connection is given up.
        if news.isSignalled, !news.isReadable { return hangUp() }
        // On failure libfcgi has closed the connection.
        guard FCGX_Accept_r(fcgi) == 0 else { return }
        let parameters = Parameters(copying: fcgi.pointee.envp)
        guard let body = readBody(length: parameters["CONTENT_LENGTH"].flatMap { Int($0) }) else { return hangUp() }
        handle(Request(parameters, body: body), Invocation(parameters))
    }

    /// Closes the connection as it is. (Without `FCGX_Detach`, libfcgi waits up to two seconds for the peer to close first.)
    private func hangUp() {
        FCGX_Detach(fcgi)
        FCGX_Free(fcgi, 1)
    }

    /// The gateway holds bodies to the function's own limit; this one is for the case that it does not.
    private static let longestBody = 64 << 20

    /// - Returns: `nil` when it is cut off or longer than was said.
    private func readBody(length: Int?) -> [UInt8]? {
        var body: [UInt8] = []
        while case let count = Int(FCGX_GetStr(buffer.baseAddress, Int32(buffer.count), fcgi.pointee.in)), count > 0 {
            body += UnsafeRawBufferPointer(buffer)[..<count]
            if body.count > length ?? RequestLoop.longestBody { return nil }
        }
        return FCGX_GetError(fcgi.pointee.in) == 0 && body.count == length ?? body.count ? body : nil
    }

    // MARK: One request

    private func handle(_ request: Request, _ invocation: Invocation) {
        let mailbox = Mailbox(waking: thread)
        let context = Context(invocation, server: server)
        let response = ResponseWriter(mailbox)
        let handler = server.handler
        let task = Task(executorPreference: thread) {
            await response.run(in: context) { try await handler(request, response, context) }
        }
        isOpen = true
        var isReading = true
        _ = thread.run()
        while carryOut(mailbox.take(), mailbox, task) {
            if thread.run() { continue }
            let news = waitForNews(
                on: isOpen ? fcgi.pointee.ipcFd : -1, reading: isReading, or: event, timeout: isOpen ? context.remaining : nil)
            if news.isSignalled { event.reset() }
            if isOpen, news.isClosed || (news.isReadable && isAbort(peek(fcgi.pointee.ipcFd, count: 8))) {
                abandon(mailbox, task)
            } else if isOpen, news.isTimedOut {
                expire(mailbox, task)
            } else if news.isReadable {
                isReading = false  // something else; libfcgi sees to it before the next request
            }
        }
    }

    /// - Returns: false once the handler has returned.
    private func carryOut(_ letters: [Mailbox.Letter], _ mailbox: Mailbox, _ task: Task<Void, Never>) -> Bool {
        var isRunning = true
        for letter in letters {
            switch letter {
            case .output(let output, let answer):
                if isOpen, put(output) {
                    answer.resume()
                } else {
                    if isOpen { abandon(mailbox, task) }
                    answer.resume(throwing: CancellationError())
                }
            case .handlerReturned:
                // Only a cancelled handler leaves its response open.
                if isOpen { abandon(mailbox, task) }
                mailbox.refuse(ResponseError.finished)
                isRunning = false
            }
        }
        return isRunning
    }

    /// The client has gone. The handler learns it by its task's cancellation and by the next write.
    private func abandon(_ mailbox: Mailbox, _ task: Task<Void, Never>) {
        hangUp()
        isOpen = false
        mailbox.refuse(CancellationError())
        task.cancel()
    }

    /// The time is over: an error where nothing was sent, a broken response otherwise.
    private func expire(_ mailbox: Mailbox, _ task: Task<Void, Never>) {
        let last = mailbox.takeOver(for: .timeout("The function took longer than it may. Ask for less at once, or raise its `timeout`."))
        task.cancel()
        // What the handler wrote before comes first; if that is the end already, there is nothing to add.
        for case .output(let output, let answer) in mailbox.takeOutput() {
            if isOpen { _ = put(output) }
            answer.resume()
        }
        if let last, isOpen { _ = put(last) }
        if isOpen { abandon(mailbox, task) }
    }

    /// FCGI_ABORT_REQUEST (type 2) or, as nginx does it, the end of the stream.
    private func isAbort(_ header: [UInt8]) -> Bool { header.isEmpty || (header.count == 8 && header[1] == 2) }

    /// Writes and flushes, so that a token is on its way at once; the last output with the end of the request.
    /// - Returns: false when the client has gone.
    private func put(_ output: ResponseState.Output) -> Bool {
        let isWritten = output.bytes.withUnsafeBytes { all in
            var rest = all[...]
            while !rest.isEmpty {
                let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 20))
                let count = FCGX_PutStr(piece.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(piece.count), fcgi.pointee.out)
                guard count == piece.count else { return false }
                rest = rest.dropFirst(piece.count)
            }
            return true
        }
        guard isWritten else { return false }
        return output.end.map(finish) ?? (FCGX_FFlush(fcgi.pointee.out) == 0)
    }

    /// - Returns: false when the client has gone.
    private func finish(_ end: ResponseState.Output.End) -> Bool {
        FCGX_SetExitStatus(end == .complete ? 0 : 1, fcgi.pointee.out)
        // A broken response breaks its connection too, for gateways that do not read the status.
        if end == .broken { fcgi.pointee.keepConnection = 0 }
        // libfcgi ends the request when it closes the last of its two streams.
        _ = FCGX_FClose(fcgi.pointee.err)
        let isSent = FCGX_FClose(fcgi.pointee.out) == 0
        FCGX_Finish_r(fcgi)
        isOpen = false
        return isSent
    }
}
