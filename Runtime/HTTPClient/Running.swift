import CCurl
import FoundationEssentials

/// A transfer inside libcurl. Lives and dies on the driver's thread.
final class Running {
    let transfer: Transfer
    let easy: UnsafeMutableRawPointer
    /// When the peer was last heard of; `nil` while the consumer lags.
    private(set) var lastHeard: ContinuousClock.Instant? = .now
    private(set) var refusal: HTTPError?

    private var fields: UnsafeMutablePointer<curl_slist>?
    private let detail = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
    private var head = HTTPClient.Head()
    private var hasDeliveredHead = false

    init(_ transfer: Transfer) throws(HTTPError) {
        guard let easy = ccurl_easy_init() else { throw HTTPError(.unavailable, "libcurl gave no handle: out of memory.") }
        self.transfer = transfer
        self.easy = easy
        detail.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        try configure()
    }

    deinit {
        ccurl_easy_cleanup(easy)
        ccurl_slist_free_all(fields)
        detail.deallocate()
    }

    /// How the transfer ended: what the receiver refused comes before what libcurl made of it.
    func failure(_ result: CURLcode) -> HTTPError? {
        if result == CURLE_OK { return nil }
        return refusal ?? HTTPError(result, of: transfer.request, detail: String(cString: detail))
    }

    /// Hands the head over unless that has happened or another one follows.
    func deliverHead() {
        guard !hasDeliveredHead, head.status == 0 || head.status >= 200 else { return }
        if transfer.options.followsRedirects, (300..<400).contains(head.status), head.headers["location"] != nil { return }
        hasDeliveredHead = true
        transfer.receiver.receive(head)
    }

    func resume() {
        lastHeard = .now
        // A failure here also ends the transfer, with its reason.
        _ = ccurl_easy_resume(easy)
    }

    private func configure() throws(HTTPError) {
        let request = transfer.request
        var results = [
            set(CURLOPT_URL, request.url),
            // A name in `Host` and no proxy of the environment: what is on a unix socket is near.
            request.unixSocket.map { set(CURLOPT_UNIX_SOCKET_PATH, $0) } ?? CURLE_OK,
            request.unixSocket.map { _ in set(CURLOPT_PROXY, "") } ?? CURLE_OK,
            set(CURLOPT_PROTOCOLS_STR, transfer.options.allowsFiles ? "http,https,file" : "http,https"),
            set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https"),
            set(CURLOPT_NOSIGNAL, 1),
            set(CURLOPT_FOLLOWLOCATION, transfer.options.followsRedirects ? 1 : 0),
            set(CURLOPT_MAXREDIRS, 10),
            set(CURLOPT_USERAGENT, "swiftlet"),
            set(CURLOPT_CONNECTTIMEOUT_MS, request.timeouts.connect.milliseconds),
            request.timeouts.total.map { set(CURLOPT_TIMEOUT_MS, $0.milliseconds) } ?? CURLE_OK,
            ccurl_easy_set_pointer(easy, CURLOPT_ERRORBUFFER, detail),
        ]
        // As the curl program does: where certificates are kept differs between systems.
        if let authorities = ProcessInfo.processInfo.environment["SSL_CERT_FILE"], !authorities.isEmpty {
            results.append(set(CURLOPT_CAINFO, authorities))
        }
        if transfer.options.offset > 0 { results.append(set(CURLOPT_RANGE, "\(transfer.options.offset)-")) }
        results += setMethod(request) + setSinks()
        if results.contains(where: { $0 != CURLE_OK }) {
            throw HTTPError(.invalidRequest, "libcurl does not take this request to \(request.target).")
        }
        for field in request.headers {
            guard !field.name.isEmpty, !(field.name + field.value).utf8.contains(where: { $0 < 0x20 && $0 != 0x09 }) else {
                throw HTTPError(.invalidRequest, "The header field '\(field.name)' holds characters that HTTP does not allow.")
            }
            // libcurl's spelling of a field without a value ends with a semicolon.
            try append(field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
        }
        // `Expect: 100-continue` would cost a round trip for every larger body.
        try append("Expect:")
        _ = ccurl_easy_set_pointer(easy, CURLOPT_HTTPHEADER, fields)
    }

    private func append(_ field: String) throws(HTTPError) {
        guard let longer = ccurl_slist_append(fields, field) else { throw HTTPError(.unavailable, "libcurl is out of memory.") }
        fields = longer
    }

    private func setMethod(_ request: HTTPClient.Request) -> [CURLcode] {
        if request.method == "HEAD" { return [set(CURLOPT_NOBODY, 1)] }
        if request.method == "GET", request.body == nil { return [] }
        guard let body = request.body ?? (request.method == "DELETE" ? nil : []) else {
            return [set(CURLOPT_CUSTOMREQUEST, request.method)]
        }
        return [
            ccurl_easy_set_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, Int64(body.count)),
            // One byte more than is sent: an empty array has no address, and no address means "call back for the body".
            (body + [0]).withUnsafeBytes { ccurl_easy_set_pointer(easy, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: $0.baseAddress)) },
            set(CURLOPT_CUSTOMREQUEST, request.method),
        ]
    }

    private func setSinks() -> [CURLcode] {
        let context = Unmanaged.passUnretained(self).toOpaque()
        return [
            ccurl_easy_set_pointer(easy, CURLOPT_PRIVATE, context),
            ccurl_easy_set_pointer(easy, CURLOPT_HEADERDATA, context),
            ccurl_easy_set_pointer(easy, CURLOPT_WRITEDATA, context),
            ccurl_easy_set_sink(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
                guard let context else { return 0 }
                let line = String(decoding: UnsafeRawBufferPointer(start: bytes, count: size * count), as: UTF8.self).trimmed
                Running.at(context).receive(line: line)
                return size * count
            },
            ccurl_easy_set_sink(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
                guard let context else { return 0 }
                return Running.at(context).receive(UnsafeRawBufferPointer(start: bytes, count: size * count))
            },
        ]
    }

    private func receive(line: String) {
        lastHeard = .now
        if hasDeliveredHead { return }  // trailers
        if line.isEmpty { deliverHead() } else { head.read(line: line) }
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        deliverHead()
        switch transfer.receiver.receive(Array(bytes)) {
        case .taken:
            lastHeard = .now
            return bytes.count
        case .full:
            lastHeard = nil
            return Int(CURL_WRITEFUNC_PAUSE)
        case .refused(let error):
            refusal = error
            return 0
        }
    }

    private func set(_ option: CURLoption, _ value: String) -> CURLcode { ccurl_easy_set_string(easy, option, value) }
    private func set(_ option: CURLoption, _ value: Int) -> CURLcode { ccurl_easy_set_long(easy, option, value) }

    static func at(_ context: UnsafeMutableRawPointer) -> Running {
        Unmanaged<Running>.fromOpaque(context).takeUnretainedValue()
    }
}
