import Kernels

/// Matrices of a type that the kernels do not compute with, and what a pack makes of them.
package struct Conversion: Hashable, Sendable {
    package let from: GGUFType
    package let into: GGUFType
    package let tensorCount: Int
    private let loss: swl_loss.RawValue

    /// What a pack of this file converts, by type.
    package static func all(in file: GGUFFile) -> [Conversion] {
        let counts = file.tensors.filter { $0.shape.count > 1 }.reduce(into: [:]) { $0[$1.type, default: 0] += 1 }
        return counts.sorted { $0.key.rawValue < $1.key.rawValue }.compactMap { type, count in
            guard let foreign = swl_foreign_type(type), let native = GGUFType(rawValue: swl_native_type(foreign).rawValue) else { return nil }
            return Conversion(from: type, into: native, tensorCount: count, loss: swl_conversion_loss(foreign).rawValue)
        }
    }
}

extension Conversion: CustomStringConvertible {
    package var description: String {
        let effect =
            switch swl_loss(rawValue: loss) {
            case SWL_EXACT: "exactly"
            case SWL_ROUNDED_SCALES: "with scales rounded: each weight changes by at most 1/2048 of itself"
            default: "with weights rounded: each changes by at most 1/250 of the largest of its 32"
            }
        return "\(from.name) becomes \(into.name) in \(tensorCount) \(tensorCount == 1 ? "tensor" : "tensors"), \(effect)."
    }
}
