import Architectures
import ByteIO
import TensorTypes
import WeightFormats

@testable import Equivalence

/// One way in which a conversion goes wrong, and what a verification must say of it.
struct Fault: Sendable {
  typealias Edit = @Sendable (inout EditedCheckpoint) throws -> Void

  enum Injection: Sendable {
    /// The converter gets a changed source, the verifier the true one: a fault inside the conversion.
    case conversion(Edit)
    /// A correct output is changed.
    case output(Edit)
    /// The bytes of the output's weight file are changed.
    case bytes(@Sendable (inout [UInt8]) -> Void)
  }

  /// What the first finding that does not pass must be about.
  enum Subject: Sendable {
    /// One of the tensors that the fault changed, added or removed; no other may be accused.
    case changedTensor
    case key(String)
    /// A key of GGUF behind the name of the architecture.
    case setting(String)
    /// The entry of a tensor in the description of an AscendV1 folder.
    case entry(RoleInstance)
    case file(String)
  }

  /// A model and what it is converted to.
  struct Case: Sendable, CustomStringConvertible {
    let model: String
    let form: Form

    var description: String { "\(model) in \(form.name)" }
  }

  let name: String
  let cases: [Case]
  /// The level that must find it at the latest; nil when the output must be refused as no checkpoint.
  let level: Level?
  let subject: Subject
  /// Words of the likely cause; nil where none can be known.
  let cause: String?
  let injection: Injection

  init(
    _ name: String, _ cases: [Case], _ level: Level? = .values,
    of subject: Subject = .changedTensor, cause: String?, _ injection: Injection
  ) {
    self.name = name
    self.cases = cases
    self.level = level
    self.subject = subject
    self.cause = cause
    self.injection = injection
  }

  static let all = places + order + numbers + blocks + structure + settings + files + codes + coded

  /// Every model in every form.
  static func on(_ models: String, _ forms: Form...) -> [Case] {
    forms.flatMap { form in
      models.split(separator: " ").map { Case(model: String($0), form: form) }
    }
  }
}

/// What a model is converted to.
struct Form: Sendable, Hashable {
  let target: String
  let scheme: String

  var name: String { target == "safetensors" && scheme == "bf16" ? "folder in bf16" : scheme }

  static let f32 = Form(target: "gguf", scheme: "f32")
  static let f16 = Form(target: "gguf", scheme: "f16")
  static let bf16 = Form(target: "gguf", scheme: "bf16")
  static let q8 = Form(target: "gguf", scheme: "q8_0")
  static let q4 = Form(target: "gguf", scheme: "q4_0")
  static let q41 = Form(target: "gguf", scheme: "q4_1")
  static let k4 = Form(target: "gguf", scheme: "q4_k_m")
  static let folder = Form(target: "safetensors", scheme: "bf16")
  static let fp8 = Form(target: "safetensors", scheme: "fp8-block128")
  static let w8a8 = Form(target: "ascend-910c", scheme: "w8a8-dynamic")
  /// With inputs calibrated.
  static let fixed = Form(target: "ascend-910c", scheme: "w8a8")
  static let w8a16 = Form(target: "ascend-910c", scheme: "w8a16")
  static let fp8Rows = Form(target: "ascend-910c", scheme: "wfp8afp8-dynamic")
  static let mx8 = Form(target: "ascend-910c", scheme: "w8a8-mxfp8")
  static let w4a8 = Form(target: "ascend-910c", scheme: "w4a8")
  static let mx4 = Form(target: "ascend-910c", scheme: "w4a8-mxfp")
}
