import Testing
import Wire

@Suite struct ModelNameTests {
    @Test func names() {
        #expect(ModelName("chat") == ModelName(alias: "chat", adapter: nil))
        #expect(ModelName("chat:support") == ModelName(alias: "chat", adapter: "support"))
        #expect(ModelName("chat:a:b").adapter == "a:b" && ModelName(":").alias == "" && ModelName("").alias == "")
        for name in ["chat", "chat:support", "chat:"] { #expect("\(ModelName(name))" == name) }
    }

    @Test func allowed() {
        func allowed(_ first: String..., by second: String...) -> [String] {
            ModelName.allowed(by: first.map(ModelName.init), and: second.map(ModelName.init)).map(\.description)
        }
        #expect(allowed("chat", "embed", by: "chat") == ["chat"])
        #expect(allowed("chat", by: "chat:a", "chat:b", "other") == ["chat:a", "chat:b"])
        #expect(allowed("chat:a", by: "chat") == ["chat:a"])
        #expect(allowed("chat:a", by: "chat:b").isEmpty && allowed("chat:a", by: "chat:a") == ["chat:a"])
        #expect(allowed("chat", by: "chatter", "chatter:a").isEmpty)
    }
}
