/// Decides which models have a host under a memory budget: events and a time in, actions out.
///
/// A model waits in line until there is room. Room is made by hosts that have no work, the longest idle first; never by one that
/// loads, works, or has been started for a caller who has not got through yet. When only busy hosts are left and someone has waited
/// for `patience`, the one that has been up longest takes no new calls and goes when its last call has ended, so that everyone's
/// turn comes.
package struct ModelPool {
    package typealias Instant = ContinuousClock.Instant

    package struct Settings: Hashable, Sendable {
        /// Bytes that its host is counted with.
        package var memory: Int
        /// How long a host stays without work; `nil` for ever.
        package var keepWarm: Duration?
        /// A host that has work and makes no progress for so long is replaced.
        package var stallTimeout: Duration

        package init(memory: Int, keepWarm: Duration? = .seconds(900), stallTimeout: Duration = .seconds(60)) {
            self.memory = memory
            self.keepWarm = keepWarm
            self.stallTimeout = stallTimeout
        }
    }

    package enum Action: Hashable, Sendable {
        case start(String)
        /// Take no new calls, finish what there is, and end.
        case retire(String)
        /// It hangs.
        case kill(String)
        /// The model cannot be loaded: who waits for it is told.
        case refuse(String)
        /// Nobody is on the way any more; tell when someone connects.
        case listen(String)
    }

    package enum Phase: Hashable, Sendable {
        case cold, waiting, loading, warm, closing
    }

    private struct Model: Hashable {
        var settings: Settings
        var phase = Phase.cold
        /// Place in line.
        var ticket = 0
        var waitingSince: Instant?
        var warmSince: Instant?
        var active = 0
        var progress = 0
        var lastProgress: Instant?
        var idleSince: Instant?
        /// Started for someone whose call has not arrived yet, or asked for in advance.
        var reservedUntil: Instant?
        var reservation: Duration?
        var failures = 0
        var noStartBefore: Instant?
        var isRemoved = false

        var occupies: Bool { phase == .loading || phase == .warm || phase == .closing }
    }

    private let budget: Int
    private let patience: Duration
    private let callerReservation: Duration
    private var models: [String: Model] = [:]
    private var nextTicket = 1

    /// - Parameters:
    ///   - budget: bytes. A model that needs more runs alone.
    ///   - patience: how long one waits for busy hosts before the first of them is asked to finish.
    ///   - callerReservation: how long a host that has become ready waits for the call it was started for.
    package init(budget: Int, patience: Duration = .seconds(2), callerReservation: Duration = .seconds(5)) {
        self.budget = budget
        self.patience = patience
        self.callerReservation = callerReservation
    }

    // MARK: Looking at it

    package func phase(of alias: String) -> Phase? { models[alias]?.phase }
    package func active(_ alias: String) -> Int { models[alias]?.active ?? 0 }
    /// Who waits, in the order of their turns.
    package var line: [String] {
        models.filter { $0.value.phase == .waiting }.sorted { $0.value.ticket < $1.value.ticket }.map(\.key)
    }
    package func idleSince(_ alias: String) -> Instant? { models[alias]?.idleSince }
    package func isReserved(_ alias: String, at now: Instant) -> Bool { models[alias]?.reservedUntil.map { now < $0 } ?? false }
    /// Bytes of all hosts there are.
    package var occupied: Int { models.values.reduce(0) { $0 + ($1.occupies ? $1.settings.memory : 0) } }

    /// When ``tick(at:)`` has something to do next.
    package func nextEvent(after now: Instant) -> Instant? {
        var times: [Instant] = []
        let someoneWaits = models.values.contains { $0.phase == .waiting }
        for model in models.values {
            switch model.phase {
            case .waiting:
                if let start = model.noStartBefore { times.append(start) } else if let since = model.waitingSince { times.append(since + patience) }
            case .warm:
                if let last = model.lastProgress { times.append(last + model.settings.stallTimeout) }
                if let idle = model.idleSince, let keep = model.settings.keepWarm { times.append(max(idle + keep, model.reservedUntil ?? idle)) }
                if someoneWaits, let reserved = model.reservedUntil { times.append(reserved) }
            case .closing:
                if let last = model.lastProgress { times.append(last + model.settings.stallTimeout) }
            case .cold, .loading: break
            }
        }
        return times.filter { $0 > now }.min()
    }

    // MARK: Events

    /// The models there are from now on. A model that is there already keeps its host.
    package mutating func serve(_ wanted: [String: Settings], at now: Instant) -> [Action] {
        var actions: [Action] = []
        for (alias, settings) in wanted.sorted(by: { $0.key < $1.key }) {
            if models[alias] == nil {
                models[alias] = Model(settings: settings)
                actions.append(.listen(alias))
            }
            models[alias]?.settings = settings
            models[alias]?.isRemoved = false
        }
        for alias in models.keys.sorted() where wanted[alias] == nil {
            models[alias]?.isRemoved = true
            switch models[alias]?.phase {
            case .cold, .waiting: models[alias] = nil
            case .loading, .warm: actions.append(retire(alias))
            case .closing, nil: break
            }
        }
        return actions + makeRoom(at: now)
    }

    /// The model's file is another one now: its host finishes what it has, and the next one takes the new file.
    package mutating func replace(_ alias: String) -> [Action] {
        let phase = models[alias]?.phase
        return phase == .loading || phase == .warm ? [retire(alias)] : []
    }

    /// Someone waits at the model's socket.
    package mutating func wanted(_ alias: String, at now: Instant) -> [Action] { enqueue(alias, reserving: callerReservation, at: now) }

    /// The model is to be warm although nobody calls it yet, and to stay so for `time`.
    package mutating func preload(_ alias: String, for time: Duration, at now: Instant) -> [Action] {
        if var model = models[alias], model.phase == .warm {
            model.reservedUntil = now + time
            if model.active == 0 { model.idleSince = now }
            models[alias] = model
            return []
        }
        return enqueue(alias, reserving: time, at: now)
    }

    /// The host has loaded its model and answers.
    package mutating func ready(_ alias: String, at now: Instant) -> [Action] {
        guard var model = models[alias], model.phase == .loading else { return [] }
        model.phase = .warm
        model.failures = 0
        model.warmSince = now
        model.idleSince = now
        model.lastProgress = now
        model.reservedUntil = model.reservation.map { now + $0 }
        model.reservation = nil
        models[alias] = model
        return makeRoom(at: now)
    }

    /// What a host says of itself.
    /// - Parameters:
    ///   - active: calls that it works on or that wait in it.
    ///   - progress: a count that grows with every step.
    package mutating func report(_ alias: String, active: Int, progress: Int, at now: Instant) -> [Action] {
        guard var model = models[alias], model.phase == .warm || model.phase == .closing else { return [] }
        if active == 0 || progress != model.progress || model.active == 0 { model.lastProgress = now }
        // Progress between two looks is work that was done.
        if active > 0 || progress != model.progress { model.reservedUntil = nil }
        if active > 0 {
            model.idleSince = nil
        } else if model.active > 0 || progress != model.progress || model.idleSince == nil {
            model.idleSince = now
        }
        model.active = active
        model.progress = progress
        models[alias] = model
        return makeRoom(at: now)
    }

    /// The host's process has ended.
    package mutating func ended(_ alias: String, at now: Instant) -> [Action] {
        guard var model = models[alias] else { return [] }
        guard !model.isRemoved else {
            models[alias] = nil
            return makeRoom(at: now)
        }
        var actions: [Action] = []
        if model.phase == .loading {
            model.failures += 1
            model.noStartBefore = now + min(.milliseconds(100) * (1 << min(model.failures - 1, 7)), .seconds(10))
            // Once may be bad luck; whoever waits for a model that cannot be loaded must not wait on.
            if model.failures > 1 { actions.append(.refuse(alias)) }
        }
        // Asked for while it was on its way out.
        let asked = model.phase == .closing ? model.reservation : nil
        models[alias] = Model(settings: model.settings, failures: model.failures, noStartBefore: model.noStartBefore)
        actions.append(.listen(alias))
        if let asked { return actions + enqueue(alias, reserving: asked, at: now) }
        return actions + makeRoom(at: now)
    }

    package mutating func tick(at now: Instant) -> [Action] {
        var actions: [Action] = []
        for alias in models.keys.sorted() {
            guard let model = models[alias], model.phase == .warm || model.phase == .closing else { continue }
            if let last = model.lastProgress, last + model.settings.stallTimeout <= now {
                models[alias]?.phase = .closing
                models[alias]?.lastProgress = nil
                actions.append(.kill(alias))
            } else if model.phase == .warm, let idle = model.idleSince, let keep = model.settings.keepWarm, idle + keep <= now,
                !isReserved(alias, at: now)
            {
                actions.append(retire(alias))
            }
        }
        return actions + makeRoom(at: now)
    }

    // MARK: Decisions

    private mutating func enqueue(_ alias: String, reserving time: Duration, at now: Instant) -> [Action] {
        guard var model = models[alias], model.phase != .warm else { return [] }
        model.reservation = max(model.reservation ?? .zero, time)
        if model.phase == .cold {
            model.phase = .waiting
            model.ticket = nextTicket
            model.waitingSince = now
            nextTicket += 1
        }
        models[alias] = model
        return makeRoom(at: now)
    }

    private mutating func retire(_ alias: String) -> Action {
        models[alias]?.phase = .closing
        models[alias]?.reservedUntil = nil
        return .retire(alias)
    }

    /// Starts who is first in line, as long as there is room, and makes room for the next.
    private mutating func makeRoom(at now: Instant) -> [Action] {
        var actions: [Action] = []
        // One whose starts fail stands aside meanwhile.
        let line = models.filter { $0.value.phase == .waiting && ($0.value.noStartBefore ?? now) <= now }
        for (alias, model) in line.sorted(by: { $0.value.ticket < $1.value.ticket }) {
            var missing = occupied + model.settings.memory - budget
            if missing <= 0 || !models.values.contains(where: \.occupies) {
                models[alias]?.phase = .loading
                models[alias]?.noStartBefore = nil
                actions.append(.start(alias))
                continue
            }
            missing -= models.values.reduce(0) { $0 + ($1.phase == .closing ? $1.settings.memory : 0) }
            for victim in victims(for: model, at: now) where missing > 0 {
                missing -= models[victim]?.settings.memory ?? 0
                actions.append(retire(victim))
            }
            break
        }
        return actions
    }

    /// Who may go, in this order: idle ones, the longest idle first; then busy ones, the longest up first.
    private func victims(for waiting: Model, at now: Instant) -> [String] {
        let free = models.filter { $0.value.phase == .warm && !isReserved($0.key, at: now) }
        let idle = free.filter { $0.value.active == 0 }.sorted { ($0.value.idleSince ?? now, $0.key) < ($1.value.idleSince ?? now, $1.key) }
        guard let since = waiting.waitingSince, since + patience <= now else { return idle.map(\.key) }
        let busy = free.filter { $0.value.active > 0 }.sorted { ($0.value.warmSince ?? now, $0.key) < ($1.value.warmSince ?? now, $1.key) }
        return (idle + busy).map(\.key)
    }
}
