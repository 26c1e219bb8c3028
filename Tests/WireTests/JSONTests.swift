import Testing
import Wire

@Suite struct JSONTests {
    @Test func integersStayIntegers() throws {
        let text = #"{"a":[1,2.5,true,null,"x"],"big":9007199254740993}"#
        #expect(String(decoding: try JSON.encode(JSON(parsing: text.utf8)), as: UTF8.self) == text)
    }

    @Test func aWrongFieldIsNamed() {
        struct Body: Decodable { struct Message: Decodable { var content: String }; var messages: [Message] }
        #expect { try JSON.decode(Body.self, from: #"{"messages":[{"content":3}]}"#.utf8) } throws: { error in
            (error as? APIError)?.parameter == "messages[0].content" && (error as? APIError)?.status == 400
        }
        #expect { try JSON.decode(Body.self, from: "{}".utf8) } throws: { ($0 as? APIError)?.parameter == "messages" }
        #expect { try JSON.decode(Body.self, from: [0xff, 0xfe]) } throws: { ($0 as? APIError)?.status == 400 }
    }

    @Test func moneyIsExact() throws {
        #expect(NanoUSD(12_345).description == "0.000012345")
        #expect(NanoUSD(-1_500_000_000).description == "-1.5")
        for (count, text) in [(0, "0"), (1, "0.000000001"), (-7, "-0.000000007"), (1_000_000_000, "1"), (12_000_000_340, "12.00000034")] as [(Int64, String)] {
            #expect(NanoUSD(count).description == text)
        }
        #expect(NanoUSD(.min).description == "-9223372036.854775808")
        #expect(String(decoding: try JSON.encode(NanoUSD(12_345)), as: UTF8.self) == "0.000012345")
        for count: Int64 in [0, 1, 7, 999_999_999, 123_456_789_012] {
            #expect(try JSON.decode(NanoUSD.self, from: JSON.encode(NanoUSD(count))) == NanoUSD(count))
        }
    }
}
