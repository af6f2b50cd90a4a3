import ByteIO
import TensorTypes

/// Counts of the tensors to be written, for the size label.
public struct ParameterCounts: Sendable {
  public var total: Int, shared: Int, expert: Int, expertCount: Int
  public init(total: Int, shared: Int, expert: Int, expertCount: Int) {
    self.total = total
    self.shared = shared
    self.expert = expert
    self.expertCount = expertCount
  }
}
public func samplingMetadata(of folder: Folder) throws(Failure) -> Metadata { Metadata() }
public func authorshipMetadata(of folder: Folder, config: JSON, parameters: ParameterCounts)
  throws(Failure) -> Metadata
{ Metadata() }
