import Foundation
import Testing

/// The table of modules in `docs/architecture.md` holds for every `import` line and for
/// `Package.swift`.
@Suite struct ImportTableTests {
  private struct Row {
    let imports: Set<String>
    let system: Set<String>
  }

  private static let rows: [String: Row] = {
    let page = read("docs/architecture.md")
    let table = page.components(separatedBy: "<!-- modules -->").last!  // a test may trap
      .components(separatedBy: "<!-- /modules -->")[0]
    var rows: [String: Row] = [:]
    for line in table.split(separator: "\n").dropFirst(2) {
      let cells = line.split(separator: "|").map(words)
      rows[cells[0].first!] = Row(imports: cells[2], system: cells[3])
    }
    let modules = Set(rows.keys.filter { $0 != "port" })
    rows["port"] = rows["port"].map { Row(imports: $0.imports.union(modules), system: $0.system) }
    return rows
  }()

  @Test func everyImportIsInTheTable() {
    for module in folders("Sources") {
      let row = Self.rows[module]
      #expect(row != nil, "no row for \(module)")
      guard let row else { continue }
      for file in files("Sources/\(module)", ending: ".swift") {
        for match in read(file).matches(of: /(?m)^\s*(?:@\w+ )*(?:\w+ )?import (\w+)/) {
          let name = String(match.1)
          #expect(row.imports.union(row.system).contains(name), "\(file) imports \(name)")
        }
      }
    }
    #expect(Set(Self.rows.keys).isSubset(of: Set(folders("Sources"))), "a row without a module")
  }

  @Test func thePackageDeclaresTheTable() {
    let products = ["system": "SystemPackage", "real": "RealModule"]
    let text = read("Package.swift").components(separatedBy: "let tests")[0]
    let targets = text.matches(
      of: /\.(?:target|systemLibrary)\(\s*name: "(\w+)"(?:,\s*dependencies: \[([^\]]*)\])?/)
    for target in targets {
      let declared = (target.2 ?? "").matches(of: /\w+/).map { String($0.0) }
      let names = Set(declared.map { products[$0] ?? $0 })
      #expect(Self.rows[String(target.1)]?.imports == names, "the dependencies of \(target.1)")
    }
    #expect(targets.count == Self.rows.count - 1)
  }
}

/// The words in backticks.
private func words(_ cell: Substring) -> Set<String> {
  Set(cell.matches(of: /`(\w+)`/).map { String($0.1) })
}
