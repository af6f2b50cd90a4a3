import TensorTypes
import Testing

@testable import Reports
@testable import WeightFormats

@Suite struct FoldedTensorsTests {
  private func tensor(_ name: String, _ shape: Shape = [2]) -> Checkpoint.Tensor {
    Checkpoint.Tensor(
      name: ByteString(name), type: TensorType(shape: shape, encoding: .f32), file: 0, offset: 0,
      byteCount: 8)
  }

  @Test func namesThatDifferInNumbersShareALine() {
    let groups = FoldedTensors.folding([
      tensor("a.0.w"), tensor("a.2.w"), tensor("b"), tensor("a.1.w"), tensor("a.3.w", [3]),
      tensor("a.x1.w"), tensor("layer.11.experts.7.up"), tensor("layer.3.experts.200.up"),
    ])
    #expect(
      groups.map(\.name) == [
        "a.{0…2}.w", "b", "a.3.w", "a.x1.w", "layer.{3…11}.experts.{7…200}.up",
      ])
    #expect(groups.map(\.count) == [3, 1, 1, 1, 2])
    #expect(groups[0].byteCount == 24)
  }
}
