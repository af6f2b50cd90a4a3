import Architectures
import TensorTypes

/// What is asked of a verification.
public struct VerificationRequest: Sendable {
  /// How much of each tensor is compared.
  public enum Sampling: Sendable, Hashable {
    case all
    /// So many rows of each tensor, chosen by the seed and the tensor's name.
    case rows(Int)
  }

  /// nil for the highest that can run.
  public var level: Level?
  public var sample: Sampling
  public var seed: UInt64
  /// The numbers of the tokens that models run on; nil for some that follow from the seed.
  public var tokens: [Int]?
  /// - Units: bytes.
  public var memoryByteLimit: Int
  public var jobs: Int

  public init(
    level: Level? = nil, sample: Sampling = .all, seed: UInt64 = 0, tokens: [Int]? = nil,
    memoryByteLimit: Int = 1 << 30, jobs: Int
  ) {
    self.level = level
    self.sample = sample
    self.seed = seed
    self.tokens = tokens
    self.memoryByteLimit = memoryByteLimit
    self.jobs = max(1, jobs)
  }
}

/// The answer of one check for one subject.
public struct Finding: Sendable, Hashable {
  public enum Subject: Sendable, Hashable {
    case tensor(ByteString)
    case key(ByteString)
    case file(String)
    case model
  }

  public let check: Check.Name
  public let subject: Subject
  public let verdict: Verdict
  public let measured: String
  public let bound: String
  /// Where the worst of it is: `row 3, column 17`.
  public var place: String?
  /// What would explain the failure, when something does.
  public var likelyCause: String?
  /// How the tensor follows from the source; only where the check does not pass.
  public var derivation: String?

  public init(
    _ check: Check.Name, _ subject: Subject, _ verdict: Verdict, measured: String,
    bound: String? = nil, place: String? = nil, likelyCause: String? = nil,
    derivation: String? = nil
  ) {
    self.check = check
    self.subject = subject
    self.verdict = verdict
    self.measured = measured
    self.bound = bound ?? Check[check].bound
    self.place = place
    self.likelyCause = likelyCause
    self.derivation = derivation
  }

  /// Why the bound is what it is.
  public var because: String { Check[check].because }
}

extension Finding.Subject: CustomStringConvertible {
  public var description: String {
    switch self {
    case .tensor(let name): "tensor '\(name)'"
    case .key(let name): "key '\(name)'"
    case .file(let name): "file '\(name.escapingControlCharacters)'"
    case .model: "the model"
    }
  }
}

/// One tensor of the converted checkpoint beside what the source says it should be.
public struct TensorReport: Sendable {
  public let name: ByteString
  /// What it does in the model; nil where no architecture is known.
  public let role: RoleInstance?
  /// As the source's graph gives it.
  public let expected: TensorType
  public let found: TensorType
  /// How its values must follow from the source's.
  public let law: String
  /// nil when values were not compared.
  public var metrics: Metrics?
  /// nil when products were not compared.
  public var operators: OperatorMetrics?
  public var verdict: Verdict
  /// How it follows from the source; only for `VerificationReport.worstTensors`.
  public var derivation: String?
}

/// How one level ended.
public struct LevelResult: Sendable, Hashable {
  public let level: Level
  public let verdict: Verdict
  public let findingCount: Int
  public let failureCount: Int
}

/// What a verification found.
public struct VerificationReport: Sendable {
  public let source: String
  public let converted: String
  public let sample: VerificationRequest.Sampling
  public let seed: UInt64
  /// Those that models were to run on; nil for some that follow from the seed.
  public let tokens: [Int]?
  public var levels: [LevelResult] = []
  /// All findings: level by level, in the order of the source's graph.
  public var findings: [Finding] = []
  public var tensors: [TensorReport] = []
  /// nil when the models did not run.
  public var model: ModelMetrics?
  /// What differs and does no harm.
  public var notes: [String] = []
  /// What was not looked at, one sentence each.
  public var notChecked: [String] = []
  public var verdict = Verdict.inconclusive

  init(source: String, converted: String, _ request: VerificationRequest) {
    self.source = source
    self.converted = converted
    sample = request.sample
    seed = request.seed
    tokens = request.tokens
  }

  /// The five tensors whose values are farthest from their source's, the farthest first.
  public var worstTensors: [TensorReport] { worstPositions.map { tensors[$0] } }

  /// Where they stand in `tensors`.
  var worstPositions: [Int] {
    let errors = tensors.map { $0.metrics?.relativeRMSE ?? 0 }
    let measured = tensors.indices.filter { errors[$0] > 0 }
    let sorted = measured.sorted {
      (errors[$0], tensors[$1].name) > (errors[$1], tensors[$0].name)
    }
    return Array(sorted.prefix(5))
  }

  /// - Units: elements.
  public var comparedCount: Int { tensors.reduce(0) { $0 + ($1.metrics?.comparedCount ?? 0) } }

  /// - Units: elements of all tensors that both sides have.
  public var elementCount: Int { tensors.reduce(0) { $0 + ($1.found.shape.elementCount ?? 0) } }
}
