import SwiftletSystem

/// A row of plain values that does not change: in this process's memory, or used where it lies in a mapped file.
struct Table<Element: BitwiseCopyable & Sendable>: @unchecked Sendable {  // nobody writes to `elements` after `init`
    private let elements: UnsafeBufferPointer<Element>
    /// Keeps the memory.
    private let owner: AnyObject

    init(_ values: some Collection<Element>) {
        let memory = Memory(count: values.count)
        _ = memory.elements.initialize(from: values)
        (elements, owner) = (UnsafeBufferPointer(memory.elements), memory)
    }

    /// - Parameter bytes: part of the mapping; `nil` where it does not hold whole elements in their places.
    init?(_ bytes: UnsafeRawBufferPointer, of mapping: MappedFile) {
        guard bytes.count % MemoryLayout<Element>.stride == 0,
            Int(bitPattern: bytes.baseAddress) % MemoryLayout<Element>.alignment == 0
        else { return nil }
        (elements, owner) = (bytes.bindMemory(to: Element.self), mapping)
    }

    var count: Int { elements.count }
    var indices: Range<Int> { 0..<elements.count }

    subscript(index: Int) -> Element {
        precondition(index >= 0 && index < elements.count)
        return elements[index]
    }

    /// The elements of a range that may come from a damaged file: as many as there are.
    /// Valid while this table, or a copy of it, is kept.
    subscript(range: Range<Int>) -> UnsafeBufferPointer<Element> {
        UnsafeBufferPointer(rebasing: elements[range.clamped(to: indices)])
    }

    /// Valid while this table, or a copy of it, is kept.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(elements) }

    private final class Memory {
        let elements: UnsafeMutableBufferPointer<Element>
        init(count: Int) { elements = .allocate(capacity: count) }
        deinit { elements.deallocate() }
    }
}
