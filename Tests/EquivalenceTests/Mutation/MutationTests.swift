import Architectures
import Foundation
import TensorTypes
import Testing
import WeightFormats

@testable import Equivalence

/// What a verification is worth: how many faults it finds and names.
///
/// All cases of the table take a minute; the environment variable `PORT_LONG_TESTS` asks for them,
/// and has the score printed.
@Suite(.serialized) struct MutationTests {
  static let isLong = ProcessInfo.processInfo.environment["PORT_LONG_TESTS"] != nil

  /// Every third fault, in the first of its conversions; super-blocks take longer to make.
  private static let few = Fault.all.indices.filter {
    $0 % 3 == 0 && !Fault.all[$0].cases[0].model.hasPrefix("wide")
  }

  @Test(.enabled(if: !isLong), arguments: few)
  func isFound(_ number: Int) throws {
    let fault = Fault.all[number]
    let trial = try Trial(fault, fault.cases[0], Scratch(), level: fault.level)
    #expect(trial.complaint == nil, "\(fault.name), \(fault.cases[0]): \(trial.complaint ?? "")")
  }

  @Test(.enabled(if: isLong)) func score() throws {
    var table = ScoreTable()
    for fault in Fault.all {
      for example in fault.cases {
        let trial = try Trial(fault, example, Scratch(), level: nil)
        #expect(trial.complaint == nil, "\(fault.name), \(example): \(trial.complaint ?? "")")
        table.add(trial, of: fault)
      }
    }
    print(table)
  }

  /// The conversions that the faults are put into pass.
  @Test(.enabled(if: isLong)) func passesWithoutFaults() throws {
    let cases = Dictionary(grouping: Fault.all.flatMap(\.cases), by: \.description)
    for (_, examples) in cases.sorted(by: { $0.key < $1.key }) {
      let scratch = try Scratch()
      defer { withExtendedLifetime(scratch) {} }
      let source = try scratch.model(examples[0].model)
      let converted = try scratch.convert(source, to: examples[0].form)
      for seed in UInt64(0)..<10 {
        let report = try verify(source, converted, .init(seed: seed, jobs: 2))
        #expect(report.verdict == .pass, "\(examples[0]), seed \(seed): \(report.summary)")
      }
    }
    print("correct conversions: \(cases.count), each verified on 10 seeds")
  }

  @Test func coversWhatItShould() {
    #expect(Fault.all.count >= 40)
    #expect(Set(Fault.all.map(\.name)).count == Fault.all.count)
    let cases = Fault.all.flatMap(\.cases)
    #expect(Set(cases.map(\.model)).count >= 8)
    #expect(Set(cases.map(\.form)).count >= 5)
  }
}

extension Scratch {
  /// Converts a checkpoint to a form; with inputs calibrated where that needs it.
  func convert(_ source: String, to form: Form) throws -> String {
    let calibration = form == .fixed ? try calibration(of: source) : nil
    return try convert(source, to: form.target, form.scheme) { $0.calibration = calibration }
  }
}

/// One fault in one conversion, and what a verification says of it.
struct Trial {
  /// What is wrong with the answer; nil when nothing is.
  var complaint: String?
  /// The first level that fails; nil when the output was refused.
  var level: Level?
  /// All levels that fail.
  var levels: [Level] = []
  var hasCause = false
  var duration = Duration.zero
  let form: Form
  let model: String

  /// - Parameter level: how deep the verification goes; the whole depth by default.
  init(_ fault: Fault, _ example: Fault.Case, _ scratch: Scratch, level: Level?) throws {
    defer { withExtendedLifetime(scratch) {} }
    form = example.form
    model = example.model
    let source = try scratch.model(example.model)
    let config = try #require(try Checkpoint.open(source).config)
    let architecture = try Architecture.of(ModelConfig(config, file: "config.json"))
    let correct = try scratch.convert(source, to: form)
    let broken = scratch.path + "/broken" + (form.target == "gguf" ? ".gguf" : "")
    var output = try EditedCheckpoint(correct, architecture)
    switch fault.injection {
    case .conversion(let edit):
      var edited = try EditedCheckpoint(source, architecture)
      try edit(&edited)
      let changed = scratch.path + "/changed"
      try edited.write(changed)
      output = try EditedCheckpoint(
        scratch.convert(changed, to: form), architecture)
      // Nothing but the tensors is to follow the changed source.
      let original = try EditedCheckpoint(correct)
      (output.metadata, output.files) = (original.metadata, original.files)
      try output.write(broken)
    case .output(let edit):
      try edit(&output)
      try output.write(broken)
    case .bytes(let edit):
      try output.write(broken)
      let file = form.target == "gguf" ? broken : broken + "/model.safetensors"
      var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: file)))
      edit(&bytes)
      try Data(bytes).write(to: URL(fileURLWithPath: file))
    }
    let clock = ContinuousClock()
    let start = clock.now
    let report: VerificationReport
    do {
      report = try verify(source, broken, .init(level: level, jobs: 2))
    } catch let failure as Failure {
      duration = clock.now - start
      if fault.level != nil || failure.kind != .badInput { complaint = "refused: \(failure)" }
      return
    }
    duration = clock.now - start
    levels = report.levels.filter { $0.verdict == .fail }.map(\.level)
    self.level = levels.first
    let changes = try EditedCheckpoint(correct).differences(from: output)
    judge(report, fault, output, changes)
  }

  private mutating func judge(
    _ report: VerificationReport, _ fault: Fault, _ output: EditedCheckpoint, _ changes: Set<String>
  ) {
    guard let first = report.findings.first(where: { $0.verdict != .pass }), let level else {
      complaint = "missed"
      return
    }
    func complain(_ text: String) { complaint = "\(text)\n\(report.summary)" }
    guard let limit = fault.level, level <= limit else { return complain("found at \(level)") }
    let isNamed =
      switch (fault.subject, first.subject) {
      case (.changedTensor, .tensor(let name)): changes.contains(name.text)
      case (.key(let key), .key(let name)): key == name.text
      case (.setting(let key), .key(let name)): output.setting(key) == name.text
      case (.entry(let role), .key(let name)): output.name(role) == name.text
      case (.file(let file), .file(let name)): file == name
      default: false
      }
    guard isNamed else { return complain("names \(first.subject), not one of \(changes.sorted())") }
    for finding in report.failures {
      if case .tensor(let name) = finding.subject, !changes.contains(name.text) {
        return complain("accuses \(name)")
      }
    }
    if case .values = level, first.place == nil || first.derivation == nil {
      return complain("names no place")
    }
    hasCause = first.likelyCause != nil
    if let cause = fault.cause, first.likelyCause?.contains(cause) != true {
      return complain("not the cause: \(first.likelyCause ?? "none")")
    }
  }
}

extension EditedCheckpoint {
  /// The names of the tensors that are not the same on both sides.
  fileprivate func differences(from other: EditedCheckpoint) -> Set<String> {
    func byName(_ tensors: [Tensor]) -> [String: Tensor] {
      Dictionary(uniqueKeysWithValues: tensors.map { ($0.name.text, $0) })
    }
    let (own, others) = (byName(tensors), byName(other.tensors))
    let changed = Set(own.keys).union(others.keys).filter { name in
      own[name]?.bytes != others[name]?.bytes || own[name]?.type != others[name]?.type
    }
    // Operators multiply all of a layer with one another.
    let layers = Set(changed.map(layer))
    return changed.union(own.keys.filter { layers.contains(layer($0)) })
  }

  /// A tensor's name without its last part.
  private func layer(_ name: String) -> String {
    name.split(separator: ".").dropLast().joined(separator: ".")
  }
}
