import FoundationEssentials
import Synchronization
import Wire

/// The layout of a tally file: a head and slots of 256 bytes each. Numbers are in the machine's own order, since
/// only processes of one machine share it.
///
/// ```
/// head  0 "SWLTALY2"   8 slots in use, the highest ever + 1   16 length of the alias   24 the model's alias
/// slot  0 1: open      8 completion tokens                    16 invocation   32 call
///      48 started, Unix ms   56 kind   64 prompt tokens   72 cached tokens   80 length of the adapter's name   88 the adapter's name
///     128 length of the attempt's path   136 the attempt's path
/// ```
enum TallyLayout {
    static let magic: UInt64 = 0x3259_4c41_544c_5753
    static let slotCount = 1024
    static let slotSize = 256
    static let size = (1 + slotCount) * slotSize
    static let longestAlias = 100
    static let longestAdapter = 40
    static let longestAttempt = 120

    static func offset(of slot: Int) -> Int { slotSize * (1 + slot) }

    static let kinds: [UsageRow.Kind] = [.chat, .completion, .embedding]
}

/// What one slot says.
struct TallySlot: Hashable {
    var invocation: UUIDv7
    var call: UUIDv7
    var started: Int64
    var kind: UsageRow.Kind
    /// Empty for the model alone.
    var adapter: String
    var promptTokens: Int
    var cachedTokens: Int
    var completionTokens: Int
    var attempt: Attempt
}

/// Reads a tally, its own process's or another's.
struct TallyReader {
    private let bytes: UnsafeRawBufferPointer
    let model: String

    /// `nil` when `bytes` are no tally.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == TallyLayout.size, bytes.load(as: UInt64.self) == TallyLayout.magic else { return nil }
        let length = bytes.load(fromByteOffset: 16, as: Int64.self)
        guard (0...Int64(TallyLayout.longestAlias)).contains(length) else { return nil }
        self.bytes = bytes
        model = String(decoding: bytes[24..<(24 + Int(length))], as: UTF8.self)
    }

    /// Every slot that is open.
    var open: [TallySlot] { slots.compactMap { $0 } }

    /// The attempts at `invocation` that it counts for.
    func attempts(of invocation: UUIDv7) -> [Attempt] { slots.compactMap { $0?.invocation == invocation ? $0?.attempt : nil } }

    private var slots: some Sequence<TallySlot?> {
        let used = min(max(0, Int(atomic(at: 8))), TallyLayout.slotCount)
        return (0..<used).lazy.map(slot)
    }

    private func slot(_ index: Int) -> TallySlot? {
        let offset = TallyLayout.offset(of: index)
        guard atomic(at: offset) == 1 else { return nil }
        func number(_ place: Int) -> Int64 { bytes.load(fromByteOffset: offset + place, as: Int64.self) }
        func id(_ place: Int) -> UUIDv7 { UUIDv7(bits: bytes.load(fromByteOffset: offset + place, as: UInt128.self)) }
        let kind = number(56)
        func text(_ place: Int, longest: Int) -> String? {
            let length = number(place), start = offset + place + 8
            return (0...Int64(longest)).contains(length) ? String(decoding: bytes[start..<(start + Int(length))], as: UTF8.self) : nil
        }
        guard TallyLayout.kinds.indices.contains(Int(kind)), let adapter = text(80, longest: TallyLayout.longestAdapter),
            let attempt = text(128, longest: TallyLayout.longestAttempt)
        else { return nil }
        return TallySlot(
            invocation: id(16), call: id(32), started: number(48), kind: TallyLayout.kinds[Int(kind)], adapter: adapter,
            promptTokens: Int(number(64)), cachedTokens: Int(number(72)), completionTokens: Int(atomic(at: offset + 8)),
            attempt: Attempt(path: attempt))
    }

    private func atomic(at offset: Int) -> Int64 {
        // A plain aligned load, after which nothing that was written before its store is missed.
        let value = bytes.load(fromByteOffset: offset, as: Int64.self)
        atomicMemoryFence(ordering: .acquiring)
        return value
    }
}
