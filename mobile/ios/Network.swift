// One clip through an export's network.onnx, by the package onnxruntime-swift-package-manager (module OnnxRuntimeBindings).
// Names, types and shapes are those of manifest.json; all whole numbers are int32.
import Foundation
import OnnxRuntimeBindings

/// An input: whole numbers or floats, with its shape.
enum Input {
    case whole([Int32], shape: [Int])
    case floats([Float], shape: [Int])
}

/// Codes of cells [Q, 2, cells, code], codes of cubes [Q, 2, code], and film [T, 2 * pixel_dim], as flat arrays.
struct Answer {
    let content, cube, film: [Float]
}

final class Network {
    private let environment: ORTEnv
    private let session: ORTSession

    init(graph: URL) throws {
        environment = try ORTEnv(loggingLevel: .warning)
        session = try ORTSession(env: environment, modelPath: graph.path, sessionOptions: ORTSessionOptions())
    }

    /// Runs one clip. `inputs` may hold more than the graph takes, as `feed_of` in hstmae/portable/network.py does.
    func run(_ inputs: [String: Input]) throws -> Answer {
        var given: [String: ORTValue] = [:]
        for name in try session.inputNames() {
            guard let input = inputs[name] else { throw CocoaError(.keyValueValidation) }
            given[name] = try value(of: input)
        }
        let names: Set<String> = ["content", "cube", "film"]
        let made = try session.run(withInputs: given, outputNames: names, runOptions: nil)
        func floats(_ name: String) throws -> [Float] {
            let data = try made[name]!.tensorData() as Data
            return data.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        }
        return Answer(content: try floats("content"), cube: try floats("cube"), film: try floats("film"))
    }

    private func value(of input: Input) throws -> ORTValue {
        switch input {
        case let .whole(values, shape):
            let data = values.withUnsafeBytes { NSMutableData(bytes: $0.baseAddress, length: $0.count) }
            return try ORTValue(tensorData: data, elementType: .int32, shape: shape.map(NSNumber.init))
        case let .floats(values, shape):
            let data = values.withUnsafeBytes { NSMutableData(bytes: $0.baseAddress, length: $0.count) }
            return try ORTValue(tensorData: data, elementType: .float, shape: shape.map(NSNumber.init))
        }
    }
}
// The head is `hst_head` of hstmae/models/fast/_head.c, added to the target and called through a bridging header that
// declares its `Job`.
