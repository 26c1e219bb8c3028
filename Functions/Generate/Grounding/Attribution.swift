/// Which passages an answer rests on: for each of its sentences, the passage that has most of the sentence's words, if that is
/// at least half of them. In the order of first mention, each once, as indices into `passages`.
///
/// The words decide, and not numbers that the model would write: small models number wrongly even where they quote rightly,
/// and what a model claims of its sources should not be taken on trust.
package func attribution(of answer: String, to passages: [Passage]) -> [Int] {
    let vocabularies = passages.map { Set(words($0.text)) }
    var cited: [Int] = []
    for sentence in sentences(answer) {
        let said = Set(words(String(sentence)))
        guard !said.isEmpty else { continue }
        let shared = vocabularies.map { said.intersection($0).count }
        guard let most = shared.max(), most * 2 >= said.count, let index = shared.firstIndex(of: most) else { continue }
        if !cited.contains(index) { cited.append(index) }
    }
    return cited
}

/// Lower-case runs of letters and digits, without the words that every text has.
private func words(_ text: String) -> [String] {
    text.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init).filter { !common.contains($0) }
}

private let common: Set = [
    "a", "an", "and", "are", "at", "be", "by", "does", "for", "from", "has", "have", "in", "is", "it", "its", "not", "of", "on", "or",
    "say", "that", "the", "this", "to", "was", "were", "will", "with",
]

/// Split behind `.`, `!` and `?` where white space follows, so that "3.5" stays whole.
private func sentences(_ text: String) -> [Substring] {
    var sentences: [Substring] = []
    var start = text.startIndex
    var previous: Character = " "
    for index in text.indices {
        if text[index].isWhitespace, ".!?".contains(previous) {
            sentences.append(text[start..<index])
            start = index
        }
        previous = text[index]
    }
    sentences.append(text[start...])
    return sentences
}
