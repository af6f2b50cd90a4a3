import ByteIO
import TensorTypes
public struct TokenizerConversion: Sendable { public var metadata: Metadata; public var warnings: [String] }
public func convertTokenizer(_ family: TokenizerFamily, in folder: Folder, config: JSON) throws(Failure) -> TokenizerConversion { .init(metadata: Metadata(), warnings: []) }
