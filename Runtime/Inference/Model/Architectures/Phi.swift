extension Architecture {
    /// Phi 3 and 3.5 mini and their relatives.
    static let phi3 = Architecture(name: "phi3", joinsProjections: true)
}
