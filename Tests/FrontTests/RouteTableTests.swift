import Front
import HTTPTypes
import Supervisor
import Testing

@Suite struct RouteTableTests {
    private func table(_ routes: String...) -> RouteTable<String> {
        RouteTable(routes.compactMap { text in Route(text).map { (route: $0, target: text) } })
    }

    private func found(_ method: HTTPRequest.Method, _ path: String, in table: RouteTable<String>) -> String? {
        table.match(HTTPRequest(method: method, scheme: nil, authority: nil, path: path))
            .map { ([$0.target] + $0.parameters).joined(separator: " ") }
    }

    @Test func methodAndPathDecide() {
        let table = table("GET /hello", "POST /hello", "GET /other")
        #expect(found(.get, "/hello", in: table) == "GET /hello")
        #expect(found(.post, "/hello?a=/b", in: table) == "POST /hello")
        #expect(found(.put, "/hello", in: table) == nil)
        #expect(found(.get, "/hello/more", in: table) == nil)
        #expect(found(.get, "/", in: table) == nil)
        #expect(found(.get, "/HELLO", in: table) == nil)
    }

    @Test func surplusSlashesMakeNoDifference() {
        let table = table("GET /a/b", "GET /a/{x}/c", "GET /")
        #expect(found(.get, "//a/b/", in: table) == "GET /a/b")
        #expect(found(.get, "/a//1/c//", in: table) == "GET /a/{x}/c 1")
        #expect(found(.get, "/", in: table) == "GET /")
        #expect(found(.get, "//", in: table) == "GET /")
    }

    @Test func aLiteralGoesBeforeAParameterFromTheLeft() {
        let table = table("GET /{a}/{b}", "GET /{a}/y", "GET /x/{b}", "GET /x/y", "POST /x/z")
        #expect(found(.get, "/x/y", in: table) == "GET /x/y")
        #expect(found(.get, "/x/1", in: table) == "GET /x/{b} 1")
        #expect(found(.get, "/1/y", in: table) == "GET /{a}/y 1")
        #expect(found(.get, "/1/2", in: table) == "GET /{a}/{b} 1 2")
        #expect(found(.post, "/x/z", in: table) == "POST /x/z")
        #expect(found(.get, "/x/z", in: table) == "GET /x/{b} z")
    }

    @Test func segmentsStayAsThePathHasThem() {
        #expect(found(.get, "/f/a%2Fb%20c?d", in: table("GET /f/{name}")) == "GET /f/{name} a%2Fb%20c")
    }

    @Test func getAnswersHeadUnlessHeadHasARoute() {
        #expect(found(.head, "/a", in: table("GET /a")) == "GET /a")
        #expect(found(.head, "/a", in: table("GET /a", "HEAD /a")) == "HEAD /a")
        #expect(found(.head, "/a", in: table("POST /a")) == nil)
    }

    @Test func theOrderOfRoutesMakesNoDifference() {
        for routes in [["GET /{a}/{b}", "GET /{a}", "GET /{a}/x"], ["GET /{a}/x", "GET /{a}", "GET /{a}/{b}"], ["GET /{a}", "GET /{a}/{b}", "GET /{a}/x"]] {
            let table = RouteTable(routes.compactMap { text in Route(text).map { (route: $0, target: text) } })
            #expect(found(.get, "/1/x", in: table) == "GET /{a}/x 1")
        }
    }

    @Test func aParameterStandsForNoPathThatIsAnsweredElsewhere() throws {
        let routes = ["GET /{page}", "POST /{page}", "POST /health", "GET /v1/{a}/{b}", "GET /v1/invocations/last"]
        let others = try ["GET /health", "GET /v1/invocations/{id}"].map { try #require(Route($0)) }
        let table = RouteTable(routes.compactMap { text in Route(text).map { (route: $0, target: text) } }, beside: others)
        #expect(found(.get, "/health", in: table) == nil)
        #expect(found(.head, "//health/", in: table) == nil)
        #expect(found(.get, "/v1/invocations/1", in: table) == nil)
        // What is more particular, or of another method, is a route of its own.
        #expect(found(.get, "/v1/invocations/last", in: table) == "GET /v1/invocations/last")
        #expect(found(.post, "/health", in: table) == "POST /health")
        #expect(found(.put, "/health", in: table) == nil)
        #expect(found(.get, "/wealth", in: table) == "GET /{page} wealth")
        #expect(found(.get, "/v1/models/1", in: table) == "GET /v1/{a}/{b} models 1")
    }
}
