// The standard library's own normalizers are public only as SPI; Foundation's would bring ICU's 40 MB into every host.
@_spi(_Unicode) import Swift

extension String {
    /// Normalization form D: every character taken apart into base and marks.
    var canonicallyDecomposed: some Sequence<Unicode.Scalar> { _nfd }

    /// Normalization form C, as UTF-8.
    var canonicallyComposedUTF8: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(utf8.count)
        for scalar in _nfc { bytes.append(contentsOf: String(scalar).utf8) }
        return bytes
    }
}
