import Accelerators
import Architectures
import Foundation
import GraphRewriting
import Quantization
import TensorTypes
import Testing
import WeightFormats

/// The pages under `docs/` say what the tables in the code say.
@Suite struct DocsTests {
  @Test(arguments: Format.all.map(\.name.rawValue))
  func everyFormatHasItsPage(_ name: String) {
    #expect(exists("docs/formats/\(name).md"))
  }

  @Test(arguments: Target.all.map(\.spelling))
  func everyTargetHasItsPageWithEveryScheme(_ name: String) throws {
    let target = try Target.named(name)
    // Variants of one kind share a page.
    let page = read("docs/targets/\(target.variant.map { "ascend-\($0)" } ?? name).md")
    #expect(page.contains("`\(name)`"))
    let plain = target.schemes.filter { if case .mix = $0 { false } else { true } }
    for scheme in plain + [target.defaultScheme] {
      #expect(page.contains("| `\(scheme.name)` |"), "\(scheme.name)")
    }
    #expect(read("docs/cli.md").contains("`\(plain.map(\.name).joined(separator: " "))`"))
  }

  @Test(arguments: GGUFMix.all)
  func everyMixStandsInTheTable(_ mix: GGUFMix) {
    let cells = "| \(mix.fileType) | \(mix.defaultType.name.uppercased()) |"
    let lines = read("docs/targets/gguf-mixes.md").split(separator: "\n")
    #expect(lines.contains { $0.contains("`\(mix.name)`") && $0.contains(cells) })
  }

  @Test(arguments: Architecture.all.indices)
  func everyArchitectureHasItsPageWithEveryRow(_ index: Int) {
    let row = Architecture.all[index]
    let page = read("docs/architectures/\(row.name).md")
    var words = row.identifiers + [row.ggufName] + row.mappings.map(\.name.spelling)
    words += row.drops.map(\.name.spelling)
    words += (row.hyperparameters + row.ownHyperparameters).map { "\(row.ggufName).\($0.key)" }
    words += row.prefixes.filter { !$0.isEmpty }
    for spelling in row.spellings {
      switch spelling {
      case .without(let words): #expect(page.contains("`\(words)` in front"))
      case .ending(let own, let usual): words += [own, usual]
      }
    }
    for mapping in row.mappings {
      // A role without `{p}` is written with the part that the page shows.
      let written = row.gguf.writing(mapping.role)?.name.spelling ?? ""
      words.append(mapping.name.hasPart ? written : written.replacing("{p}", with: "weight"))
    }
    for word in words { #expect(page.contains("`\(word)`"), "\(word)") }
    for drop in row.drops { #expect(page.contains(drop.reason), "\(drop.reason)") }
  }

  @Test func everyTypeStandsInTheTables() {
    let gguf = read("docs/formats/gguf.md")
    for type in GGUFTensorType.all {
      let (block, bytes) = (type.encoding.unitElementCount, type.encoding.unitByteCount)
      #expect(gguf.contains("| \(type.id) | \(type.name) | \(block) | \(bytes) |"), "\(type.name)")
    }
    let blocks = read("docs/types/blocks.md")
    for block in BlockType.all {
      #expect(blocks.contains(block.name.uppercased()), "\(block.name)")
    }
    let plain = read("docs/types/plain.md")
    for dtype in DType.allCases {
      let row = "| \(dtype.name) | \(dtype.bitWidth) | \(dtype.kind) |"
      #expect(plain.contains(row), "\(row)")
    }
  }

  /// The page of a type is the one with its block of zeros.
  @Test(arguments: BlockEncoder.all.map(\.block))
  func everyBlockTypeHasItsPage(_ block: BlockType) throws {
    let encoder = try #require(BlockEncoder(block))
    let ones: [Float] = Array(repeating: 1, count: block.elementCount)
    let plain = encoder.importance == .required ? nil : try zeros(encoder, nil)
    let weighted = encoder.importance == .ignored ? nil : try zeros(encoder, ones)
    var rows: [String] = []
    if let plain { rows.append("| \(block.name.uppercased()) | `\(plain)` |") }
    if let weighted, weighted != plain {
      rows.append("| \(block.name.uppercased()), importance | `\(weighted)` |")
    }
    let paths = files("docs/types", ending: ".md").filter { read($0).contains(rows[0]) }
    #expect(paths.count == 1, "\(rows)")
    let page = read(paths.first ?? "")
    for row in rows { #expect(page.contains(row)) }
    for heading in ["Layout", "Encoding", "Error"] {
      #expect(page.contains("\n## \(heading)\n"), "\(block.name): \(heading)")
    }
    #expect(page.contains("mportance matrix"), "\(block.name)")
    let index = read("docs/types/blocks.md").split(separator: "\n")
    let name = try #require(paths.first?.split(separator: "/").last)
    #expect(
      index.contains { $0.contains(block.name.uppercased()) && $0.contains("](\(name))") },
      "\(block.name)")
  }

  /// The page of a scheme is the one with what it makes of two rows.
  @Test(arguments: QuantScheme.all)
  func everySchemeOfCodesHasItsPageWithItsExample(_ scheme: QuantScheme) throws {
    let (scales, codes) = example(scheme)
    func isRow(_ line: Substring) -> Bool {
      line.contains("`\(scheme.name)`") && line.hasSuffix(" | \(scales) | `\(codes)` |")
    }
    let paths = files("docs/types", ending: ".md").filter {
      read($0).split(separator: "\n").contains(where: isRow)
    }
    #expect(paths.count == 1)
    let page = read(try #require(paths.first, "\(scheme.name) | \(scales) | \(codes)"))
    for heading in ["Layout", "Encoding", "Example", "Error"] {
      #expect(page.contains("\n## \(heading)\n"), "\(scheme.name): \(heading)")
    }
    #expect(page.contains("(1, −0.5, 0.25, 0.1, 0, 0.0625, −0.9, 0.7)"))
    #expect(page.contains("(3, 2.5, −1.25, 0.01, −3, 1, 0, 0.6)"))
  }

  @Test func theThoroughSearchIsDescribedForEveryTypeThatHasIt() {
    let lines = read("docs/types/thorough-search.md").split(separator: "\n")
    for block in BlockSearch.thoroughTypes {
      #expect(lines.contains { $0.hasPrefix("| \(block.name.uppercased()) | ") }, "\(block.name)")
    }
  }

  @Test func everyRuleStandsInTheTable() {
    let page = read("docs/adding-a-rule.md")
    for rule in RuleSet.canonicalise.rules + RuleSet.define.rules {
      #expect(page.contains("| `\(rule.name)` | \(rule.law) | \(rule.fidelity) |"), "\(rule.name)")
    }
  }

  @Test func everyRuleForConfigsStandsInTheTable() {
    let page = read("docs/adding-a-rule.md")
    for (rule, _, _) in ConfigRule.examples {
      #expect(page.contains("| `\(rule.name)` | \(rule.law) |"), "\(rule.name)")
    }
  }

  @Test func relativeLinksLeadSomewhere() {
    for path in files("docs", ending: ".md") + ["README.md"] {
      let folder = path.split(separator: "/").dropLast().joined(separator: "/")
      for link in read(path).matches(of: /\]\(([^)\s]+)\)/).map(\.1) where !link.contains("://") {
        let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let file = parts[0].isEmpty ? path : (folder.isEmpty ? "" : folder + "/") + parts[0]
        #expect(exists(file), "\(path): \(link)")
        if parts.count == 2, exists(file) {
          #expect(anchors(read(file)).contains(String(parts[1])), "\(path): \(link)")
        }
      }
    }
  }

  @Test func everyPageIsOnTheMap() {
    let map = read("docs/index.md")
    for path in files("docs", ending: ".md") where path != "docs/index.md" {
      #expect(map.contains("](\(path.dropFirst("docs/".count)))"), "\(path)")
    }
  }

  @Test(arguments: [Format.Name.gguf, .safetensors])
  func theWorkedLayoutsAreWhatIsWritten(_ name: Format.Name) throws {
    let metadata: Metadata
    let tensors: [Declaration]
    switch name {
    case .gguf:
      metadata = Metadata([("general.architecture", .text("llama"))])
      tensors = [
        Declaration(name: "token_embd.weight", type: .init(shape: [3, 32], encoding: .q8_0)),
        Declaration(name: "output_norm.weight", type: .init(shape: [32], encoding: .f32)),
      ]
    case .safetensors:
      metadata = Metadata([("format", .text("pt"))])
      tensors = [
        Declaration(name: "norm", type: .init(shape: [4], encoding: .f32)),
        Declaration(name: "embed", type: .init(shape: [3, 4], encoding: .bf16)),
      ]
    }
    let framing = try Format[name].frame(metadata, tensors)
    let page = read("docs/targets/\(name.rawValue).md")
    #expect(page.contains(hexadecimal(framing.prefix)))
    for (tensor, offset) in zip(tensors, framing.offsets) {
      #expect(page.contains("| `\(tensor.name)` | \(offset) | \(tensor.type.byteCount!) |"))
    }
    #expect(page.contains("\(framing.fileByteCount) bytes"))
  }
}

/// What a scheme makes of the two rows of the pages: scales or exponents, and codes in hexadecimal.
private func example(_ scheme: QuantScheme) -> (scales: String, codes: String) {
  let rows: [Float] = [
    1, -0.5, 0.25, 0.1, 0, 0.0625, -0.9, 0.7, 3, 2.5, -1.25, 0.01, -3, 1, 0, 0.6,
  ]
  let quantizer = MatrixQuantizer(scheme, columnCount: 8)
  var codes = [UInt8](repeating: 0, count: quantizer.codeByteCount(rowCount: 2))
  var scales = [Float](repeating: 0, count: 2)
  var scratch = [UInt8](repeating: 0, count: max(1, quantizer.scratchByteCount))
  codes.withUnsafeMutableBytes { codes in
    scales.withUnsafeMutableBytes { scales in
      scratch.withUnsafeMutableBytes { scratch in
        // None of the three is empty.
        _ = quantizer.quantize(
          rows, rowCount: 2, codes: codes.baseAddress!, scales: scales.baseAddress!,
          scratch: scratch.baseAddress!)
      }
    }
  }
  let numbers =
    scheme.rule == .powerOfTwo
    ? scales.withUnsafeBytes { $0.prefix(2).map { "\($0)" } }
    : scales.prefix(scheme.grid.rows == 1 ? 2 : 1).map { "\($0)" }
  return (
    numbers.joined(separator: ", "),
    codes.map { String(format: "%02x", $0) }.joined(separator: " ")
  )
}

/// A block of zeros in hexadecimal, runs of equal bytes as one with their number.
private func zeros(_ encoder: BlockEncoder, _ importance: [Float]?) throws -> String {
  let values = [Float](repeating: 0, count: encoder.block.elementCount)
  var bytes = [UInt8](repeating: 0, count: encoder.block.byteCount)
  bytes.withUnsafeMutableBytes { bytes in
    values.withUnsafeBytes {
      _ = encoder($0, into: bytes, rowLength: values.count, importance: importance)
    }
  }
  var words: [String] = []
  var rest = bytes[...]
  while let byte = rest.first {
    let count = rest.prefix { $0 == byte }.count
    words.append(String(format: "%02x", byte) + (count > 1 ? "×\(count)" : ""))
    rest = rest.dropFirst(count)
  }
  return words.joined(separator: " ")
}

/// The anchors of a page's headings, as GitHub makes them.
private func anchors(_ page: String) -> Set<String> {
  Set(
    page.matches(of: /(?m)^#+ (.+)$/).map { match in
      String(match.1.lowercased().filter { $0.isLetter || $0.isNumber || "-_ ".contains($0) })
        .replacing(" ", with: "-")
    })
}

/// Lines of offset and 16 bytes each.
private func hexadecimal(_ bytes: [UInt8]) -> String {
  stride(from: 0, to: bytes.count, by: 16).map { start in
    let row = bytes[start..<min(bytes.count, start + 16)]
    return String(format: "%04x", start) + row.map { String(format: " %02x", $0) }.joined()
  }.joined(separator: "\n")
}
