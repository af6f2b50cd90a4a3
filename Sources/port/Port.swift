import ArgumentParser
import ByteIO
import Reports
import TensorTypes

@main
struct Port: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "port",
    abstract: "Converts the weights of a model for another runtime, and proves the result.",
    version: productVersion,
    subcommands: [
      InspectCommand.self, ConvertCommand.self, VerifyCommand.self, ExplainCommand.self,
      DiffCommand.self, ListCommand.self,
    ])

  static func main() {
    Signals.ignoreFileSizeLimit()
    Console.reserveStreams()
    var command: (any ParsableCommand)?
    do {
      command = try parseAsRoot()
      try command?.run()
    } catch let failure as Failure {
      Console.report(failure, as: command as? any JSONReporting)
      Console.exit(failure.exitCode)
    } catch let code as ExitCode {
      Console.exit(code.rawValue)
    } catch {
      Console.exit(report(error))
    }
  }

  /// Prints help that was asked for, or what is wrong with the arguments.
  ///
  /// - Returns: the exit code.
  private static func report(_ error: any Error) -> Int32 {
    let message = fullMessage(for: error)
    guard exitCode(for: error) == .success else {
      Console.complain(message.replacingPrefix("Error: ", by: "error: "))
      return 64
    }
    do throws(Failure) {
      try Console.print([message])
      return 0
    } catch {
      Console.report(error, as: nil)
      return error.exitCode
    }
  }
}

/// A command that can print one JSON document instead of text.
protocol JSONReporting: ParsableCommand {
  /// Where the document goes: a path, `-` for standard output; nil for no document.
  var jsonDestination: String? { get }
}

extension Failure {
  /// The code of `sysexits.h`.
  var exitCode: Int32 {
    switch kind {
    case .usage: 64
    case .badInput: 65
    case .missingInput: 66
    case .defect: 70
    case .cannotCreate: 73
    case .inputOutput: 74
    case .interrupted: 128 + Signals.last
    }
  }

  /// The document that `--json` prints for an error.
  var json: JSON {
    var tensor: ByteString?
    var key: ByteString?
    switch subject {
    case .tensor(let name): tensor = name
    case .key(let name), .member(let name): key = name
    case nil: break
    }
    return .members([
      "error": .members([
        "file": file.map(JSON.text), "tensor": tensor.map(JSON.string),
        "key": key.map(JSON.string), "offset": offset.map(JSON.integer),
        "expected": expected.map(JSON.text), "found": found.map(JSON.text),
        "message": .text(message),
      ])
    ])
  }
}

extension String {
  fileprivate func replacingPrefix(_ prefix: String, by other: String) -> String {
    hasPrefix(prefix) ? other + dropFirst(prefix.count) : self
  }
}
