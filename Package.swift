// swift-tools-version: 6.1
import PackageDescription

let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let real: Target.Dependency = .product(name: "RealModule", package: "swift-numerics")
let arguments: Target.Dependency = .product(
  name: "ArgumentParser", package: "swift-argument-parser")

/// Every module with what it may import; `docs/architecture.md` holds the same table and a test
/// compares both with the `import` lines under `Sources/`.
let modules: [Target] = [
  .target(name: "CFiles"),
  .target(name: "CKernels"),
  .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
  .target(name: "TensorTypes"),
  .target(name: "ByteIO", dependencies: ["CFiles", "CZstd", system, "TensorTypes"]),
  .target(name: "WeightFormats", dependencies: ["ByteIO", "TensorTypes"]),
  .target(name: "Quantization", dependencies: ["TensorTypes", "CKernels"]),
  .target(name: "GraphRewriting", dependencies: ["TensorTypes"]),
  .target(name: "Tokenizers", dependencies: ["ByteIO", "TensorTypes"]),
  .target(
    name: "Architectures",
    dependencies: ["GraphRewriting", "TensorTypes", "ByteIO", "Tokenizers", real]),
  .target(
    name: "Accelerators",
    dependencies: [
      "WeightFormats", "GraphRewriting", "TensorTypes", "ByteIO", "Architectures", "Tokenizers",
    ]),
  .target(
    name: "Conversion",
    dependencies: [
      "WeightFormats", "ByteIO", "Quantization", "GraphRewriting", "TensorTypes",
      "Architectures", "Accelerators", "Tokenizers",
    ]),
  .target(name: "ReferenceKernels", dependencies: ["GraphRewriting", "TensorTypes", real]),
  .target(
    name: "Equivalence",
    dependencies: [
      "ReferenceKernels", "WeightFormats", "GraphRewriting", "TensorTypes", "ByteIO",
      "Architectures", "Accelerators", "Tokenizers", real,
    ]),
  .target(
    name: "Reports",
    dependencies: [
      "TensorTypes", "ByteIO", "WeightFormats", "GraphRewriting", "Architectures", "Accelerators",
      "Conversion", "Equivalence",
    ]),
]

let library: [Target.Dependency] = modules.map { .init(stringLiteral: $0.name) }

let testedModules = [
  "TensorTypes",
  "ByteIO",
  "WeightFormats",
  "Quantization",
  "GraphRewriting",
  "Tokenizers",
  "Architectures",
  "Accelerators",
  "Conversion",
  "ReferenceKernels",
  "Equivalence",
  "Reports",
  "Conformance",
]

/// `Tests/` mirrors `Sources/`; `ConformanceTests` walks the tables of all modules.
let tests: [Target] =
  [
    .target(
      name: "Support", dependencies: ["ByteIO", "CZstd", "TensorTypes"], path: "Tests/Support"),
    .testTarget(name: "PortTests", dependencies: ["port"], exclude: ["Snapshots"]),
  ]
  + testedModules.map { .testTarget(name: $0 + "Tests", dependencies: library + ["Support"]) }

let package = Package(
  name: "port",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "port", targets: ["port"]),
    .library(name: "PortKit", targets: modules.map(\.name).filter { $0 != "CZstd" }),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-numerics", from: "1.1.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: modules + [
    .executableTarget(name: "port", dependencies: library + [arguments])
  ] + tests,
  swiftLanguageModes: [.v6]
)
