import ArgumentParser
import Reports

struct ListCommand: ParsableCommand, JSONReporting {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Prints one of the tables that port works by.")

  @Argument(
    help: "One of \(ListedTable.allCases.map(\.rawValue).joined(separator: ", ")).")
  var table: ListedTable

  @Flag(help: "Print one JSON document.")
  var json = false

  var jsonDestination: String? { json ? "-" : nil }

  func run() throws {
    if json {
      try Console.write(table.json.sortedText, to: "-")
    } else {
      try Console.print(table.lines)
    }
  }
}

extension ListedTable: ExpressibleByArgument {}
