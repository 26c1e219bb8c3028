import Kernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What this machine can do at the most with some threads, as the median of a few rounds.
package struct Roof: Sendable {
    package let gigabytesPerSecond: Double
    /// Multiplications of bytes, in 10⁹ per second; `nil` where the processor has no instruction for them.
    package let gigaproductsPerSecond: Double?

    /// Takes about a second.
    package init(threads: Int) throws {
        let team = try ThreadTeam(threads: threads)
        let (bytes, rounds, clock) = (256 << 20, 2_000_000, ContinuousClock())
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes, alignment: 2 << 20)
        defer { memory.deallocate() }
        if let start = memory.baseAddress { madvise(start, bytes, Int32(MADV_HUGEPAGE)) }
        memory.initializeMemory(as: UInt8.self, repeating: 1)
        guard let start = memory.baseAddress.map({ UInt(bitPattern: $0) }) else { preconditionFailure("an allocation has an address") }
        func measure(_ body: (Int) -> Void) -> Double {
            let seconds = (0..<5).map { _ in clock.measure { team.run(threads) { part, _ in body(part) } }.seconds }
            return seconds.sorted()[2]
        }
        let part = bytes / threads / 4096 * 4096
        let reading = measure { index in
            if let from = UnsafeRawPointer(bitPattern: start + UInt(index * part)) { swl_read_memory(from, part) }
        }
        gigabytesPerSecond = Double(part * threads) / reading / 1e9
        let products = swl_multiply_bytes(1)
        let multiplying = measure { _ in _ = swl_multiply_bytes(rounds) }
        gigaproductsPerSecond = products == 0 ? nil : Double(products) * Double(rounds * threads) / multiplying / 1e9
    }

    private init(gigabytesPerSecond: Double, gigaproductsPerSecond: Double?) {
        (self.gigabytesPerSecond, self.gigaproductsPerSecond) = (gigabytesPerSecond, gigaproductsPerSecond)
    }

    /// The better of two measurements.
    package func higher(_ other: Roof) -> Roof {
        Roof(
            gigabytesPerSecond: max(gigabytesPerSecond, other.gigabytesPerSecond),
            gigaproductsPerSecond: gigaproductsPerSecond.map { max($0, other.gigaproductsPerSecond ?? 0) })
    }
}

extension Duration {
    package var seconds: Double { self / .seconds(1) }
}
