import Accelerators
import GraphRewriting
import TensorTypes
import WeightFormats

/// What a request asks of a checkpoint, before any rule has been applied: each output of `graph` is
/// a cast of what computes the values of one tensor to be written.
struct Program {
  let graph: WeightGraph
  let model: TargetModel
  let scheme: Scheme
  let choice: EncodingChoice

  /// - Throws: `usage` for a request that cannot be met, `badInput` for a checkpoint that cannot be
  ///   converted.
  init(_ source: Checkpoint, _ request: ConversionRequest) throws(Failure) {
    scheme = try request.target.scheme(named: request.scheme)
    model = try source.model(for: request.target, keepsCodes: request.keepsCodes(scheme))
    choice = try EncodingChoice(request, scheme, source, model)
    var graph = model.model.graph
    graph.outputs = []
    for output in model.model.graph.outputs {
      let type = graph[output.node].type
      do throws(Failure) {
        let encoding = try choice.encoding(of: output.name, type)
        if case .block = type.encoding, case .block = encoding, encoding != type.encoding,
          !request.allowsRequantizing
        {
          throw Failure(
            .usage, "the tensor is quantized already; --allow-requantize does it again",
            expected: "\(type.encoding) or a plain type", found: "\(encoding)")
        }
        let node = try graph.add(.cast(encoding), [output.node])
        graph.outputs.append(WeightGraph.Output(name: output.name, node: node))
      } catch {
        throw error.located(subject: .tensor(output.name))
      }
    }
    self.graph = graph
  }
}

extension ConversionRequest {
  /// Whether quantized tensors stay codes and scales: when no tensor is to become another.
  func keepsCodes(_ scheme: Scheme) -> Bool { scheme == .lossless && overrides.isEmpty }
}
