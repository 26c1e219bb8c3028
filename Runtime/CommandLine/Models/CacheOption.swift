import ArgumentParser
import Inference

/// `--kv-cache TYPE`, shared by the commands that run a model.
struct CacheOption: ParsableArguments {
    @Option(name: .customLong("kv-cache"), help: "How attention's keys and values are kept: f16, q8_0 (half the memory) or f32.")
    var type: Engine.Configuration.CacheType = .f16
}

extension Engine.Configuration.CacheType: ExpressibleByArgument {}
