import ArgumentParser
import FoundationEssentials
import Inference
import Jinja
import Wire

struct RenderTemplate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "template",
        abstract: "Show what a chat template makes of a conversation, byte for byte.",
        discussion: "The template is that of a model, or a file of its own (--file).")

    @Argument(help: "An alias or a model's name as 'swiftlet models list' shows it, or the path of a GGUF file.")
    var model: String?

    @OptionGroup var state: StateOption

    @Option(help: "A Jinja template instead of a model.")
    var file: String?

    @Option(help: "A JSON file with the messages: an array, or an object that has them as 'messages', and perhaps 'tools' and other variables.")
    var messages: String

    @Option(help: "A JSON file with the tools: an array as in OpenAI's API.")
    var tools: String?

    @Option(help: "What the template knows as bos_token; with a model, the default is the model's.")
    var bos: String?

    @Option(help: "What the template knows as eos_token; with a model, the default is the model's.")
    var eos: String?

    @Flag(name: .customLong("generation-prompt"), inversion: .prefixedNo, help: "End with the head of the assistant's turn.")
    var generationPrompt = true

    @Option(name: .customLong("set"), help: ArgumentHelp("A variable for the template, such as enable_thinking=false.", valueName: "name=json"))
    var variables: [String] = []

    func validate() throws {
        guard (model != nil) != (file != nil) else { throw ValidationError("Name either a model or, with --file, a template.") }
    }

    func run() throws {
        let template = try chatTemplate()
        let input = try JSONFile.read(messages)
        guard let list = (input["messages"] ?? input).array else { throw CommandError("\(messages) holds no array of messages.") }
        var variables = (input.members ?? []).filter { !["messages", "tools"].contains($0.name) }
        for variable in self.variables {
            guard let equals = variable.firstIndex(of: "="), let value = try? OrderedJSON(parsing: variable[variable.index(after: equals)...].utf8) else {
                throw CommandError("--set takes name=value with a value in JSON, not '\(variable)'.")
            }
            variables.append(.init(String(variable[..<equals]), value))
        }
        guard let tools = try (tools.map(JSONFile.read) ?? input["tools"] ?? .array([])).array else { throw CommandError("The tools are not an array.") }
        let conversation = Conversation(messages: list, tools: tools, addsGenerationPrompt: generationPrompt, variables: variables)
        print(try template.render(conversation).string, terminator: "")
    }

    private func chatTemplate() throws -> ChatTemplate {
        if let file {
            return try ChatTemplate(TextFile.read(file), path: file, beginning: bos ?? "", end: eos ?? "")
        }
        let path = try ModelReference.path(of: model ?? "", in: state.directory)
        return try ChatTemplate(GGUFFile(path: path).metadata, beginning: bos, end: eos)
    }
}

private enum TextFile {
    static func read(_ path: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: path) else { throw CommandError("Cannot read \(path).") }
        guard let text = String(validating: data, as: UTF8.self) else { throw CommandError("\(path) is not UTF-8 text.") }
        return text
    }
}

private enum JSONFile {
    static func read(_ path: String) throws -> OrderedJSON {
        let text = try TextFile.read(path)
        do {
            return try OrderedJSON(parsing: text.utf8)
        } catch {
            throw CommandError("\(path): \(error.message)")
        }
    }
}
