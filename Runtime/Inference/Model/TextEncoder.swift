/// A model that makes one vector of a text. Used by one thread.
protocol TextEncoder: AnyObject {
    /// How many tokens a batch of several texts may have; a longer text comes alone.
    var batchLimit: Int { get }

    /// - Parameter texts: each of 1 token or more, up to the context's length.
    /// - Returns: for each text its vector, of length 1 unless an element is not a number.
    func embed(_ texts: [[Token]]) -> [[Float]]
}
