/// The automaton seen from within one call of a rule, made deterministic as far as it is walked.
struct LocalMachine {
    /// A set of configurations above the rule's own end.
    typealias PlaceID = Int32
    static let nowhere: PlaceID = 0
    private static let unknown: PlaceID = -1
    /// 256 steps of 4 bytes each: 20 MB.
    private static let mostPlaces = 20_000
    private static let mostConfigurations = 4_000_000

    private let automaton: Automaton
    private var arena = StackArena()
    private var places: [Configurations] = [Configurations()]
    private var canEnd: [Bool] = [false]
    private var steps: [PlaceID] = Array(repeating: nowhere, count: 256)
    private var numbers: [Configurations: PlaceID] = [Configurations(): nowhere]
    private var configurationCount = 0

    init(_ automaton: Automaton) { self.automaton = automaton }

    /// Whether so much was walked that a new machine should take over.
    var isFull: Bool { places.count > Self.mostPlaces || configurationCount > Self.mostConfigurations / 4 }

    mutating func start(at state: Automaton.StateID) -> PlaceID {
        number(of: automaton.closure(CollectionOfOne(Configuration(state: state, stack: StackArena.bottom)), &arena))
    }

    func canEnd(_ place: PlaceID) -> Bool { canEnd[Int(place)] }

    mutating func step(_ place: PlaceID, _ byte: UInt8) -> PlaceID {
        let index = Int(place) << 8 | Int(byte)
        let known = steps[index]
        guard known == Self.unknown else { return known }
        let next = number(of: automaton.step(places[Int(place)], byte, &arena))
        steps[index] = next
        return next
    }

    private mutating func number(of configurations: Configurations) -> PlaceID {
        if let number = numbers[configurations] { return number }
        // A single search that gets this far is in a grammar made to be slow; the tokens it has not come to are not allowed.
        guard configurationCount < Self.mostConfigurations, places.count < 4 * Self.mostPlaces else { return Self.nowhere }
        configurationCount += configurations.readers.count
        let number = PlaceID(places.count)
        places.append(configurations)
        canEnd.append(configurations.canEnd)
        steps.append(contentsOf: repeatElement(Self.unknown, count: 256))
        numbers[configurations] = number
        return number
    }
}
