#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The functions that every template knows.
enum Globals {
    typealias Body = @Sendable (Renderer, Arguments) throws -> Value

    static let all: [String: Body] = [
        "range": range,
        "dict": { renderer, arguments in .dict(try entries(renderer, arguments)) },
        "namespace": { renderer, arguments in
            let namespace = renderer.namespace()
            for (key, value) in try entries(renderer, arguments).entries {
                guard let name = key.text else { throw TemplateError("a namespace's names are strings") }
                namespace[name] = value
            }
            return .object(namespace)
        },
        "cycler": { _, arguments in
            guard !arguments.positional.isEmpty else { throw TemplateError("at least one item has to be provided") }
            return .object(Cycler(arguments.positional))
        },
        "joiner": { _, arguments in .object(Joiner(try arguments.bind("joiner", "sep")[0] ?? .trusted(", "))) },
        "raise_exception": { renderer, arguments in
            throw TemplateError(try renderer.shown(arguments.one("raise_exception", "message")).string, isRaised: true)
        },
        "strftime_now": { renderer, arguments in
            guard let format = try arguments.one("strftime_now", "format").text else { throw TemplateError("strftime_now() takes a string") }
            return try renderer.text(Text(try time(format.string, at: renderer.now)))
        },
    ]

    private static let range: Body = { renderer, arguments in
        let numbers = try arguments.positional.map { value in
            guard let number = value.integer else { throw TemplateError("'\(value.typeName)' object cannot be interpreted as an integer") }
            return number
        }
        guard arguments.keywords.isEmpty, (1...3).contains(numbers.count) else { throw TemplateError("range expected 1 to 3 arguments") }
        let (from, to, step) = (numbers.count > 1 ? numbers[0] : 0, numbers.count > 1 ? numbers[1] : numbers[0], numbers.count > 2 ? numbers[2] : 1)
        guard step != 0 else { throw TemplateError("range() arg 3 must not be zero") }
        let tooLarge = TemplateError("Range too big. The sandbox blocks ranges larger than MAX_RANGE (\(Limits.range)).")
        let (distance, isOver) = to.subtractingReportingOverflow(from)
        guard !isOver, step.magnitude < 1 << 62 else { throw tooLarge }
        let count = (distance > 0) == (step > 0) && distance != 0 ? (distance.magnitude - 1) / step.magnitude + 1 : 0
        guard count <= Limits.range else { throw tooLarge }
        try renderer.charge(16 * Int(count))
        return .series(try Series(.range(from: from, to: to, step: step), (0..<Int(count)).map { .int(from + $0 * step) }))
    }

    /// What Python's `dict()` takes: a mapping or pairs, and keywords.
    private static func entries(_ renderer: Renderer, _ arguments: Arguments) throws -> Dict {
        guard arguments.positional.count <= 1 else { throw TemplateError("dict expected at most 1 argument, got \(arguments.positional.count)") }
        var entries: [(Value, Value)] = []
        switch arguments.positional.first {
        case nil: break
        case .dict(let dict)?: entries = dict.entries
        case .object(let namespace as Namespace)?: entries = namespace.entries.map { (.string($0.name), $0.value) }
        case let value?:
            entries = try renderer.items(of: value).map { pair in
                let items = try renderer.items(of: pair)
                guard items.count == 2 else { throw TemplateError("dictionary update sequence element has length \(items.count); 2 is required") }
                return (items[0], items[1])
            }
        }
        entries += arguments.keywords.map { (.trusted($0.name), $0.value) }
        try renderer.charge(32 * entries.count)
        return try Dict(entries)
    }

    private static func present() -> Int {
        var present = timespec()
        clock_gettime(CLOCK_REALTIME, &present)
        return present.tv_sec
    }

    /// As the C library's `strftime` has it, in local time.
    private static func time(_ format: String, at seconds: Int?) throws -> String {
        guard format.utf8.count < 1000, !format.utf8.contains(0) else { throw TemplateError("strftime_now: the format is too long") }
        var seconds = seconds ?? present()
        var parts = tm()
        guard localtime_r(&seconds, &parts) != nil else { throw TemplateError("strftime_now: the time is not known") }
        // Room for a format of which every letter pair becomes a long name.
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1 << 16) { buffer in
            guard let base = buffer.baseAddress else { return "" }
            let count = strftime(base, buffer.count, format, &parts)
            return String(decoding: UnsafeRawBufferPointer(start: base, count: count), as: UTF8.self)
        }
    }
}
