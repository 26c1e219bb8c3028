/// A number of bytes as people write it: `4096`, `512KiB`, `4GiB`. KB, MB and GB mean the same.
package struct ByteCount: Hashable, Sendable {
    package let count: Int

    package init?(_ text: String) {
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("KB", 10), ("MB", 20), ("GB", 30)]
        guard let (unit, shift) = units.first(where: { text.hasSuffix($0.0) }) else {
            guard let count = Int(text), count >= 0 else { return nil }
            self.count = count
            return
        }
        guard let count = Int(text.dropLast(unit.count)), (0...(1 << 30)).contains(count) else { return nil }
        self.count = count << shift
    }
}
