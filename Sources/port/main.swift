import Accelerators
import Conversion
import WeightFormats
import TensorTypes
let a = CommandLine.arguments
do throws(Failure) {
  let c = try Checkpoint.open(a[1])
  var r = ConversionRequest(target: try Target.named(a[2]), destination: a[3], jobs: 2)
  if a.count > 4 { r.scheme = a[4] }
  let p = try Plan(converting: c, r)
  try p.execute(replaces: true, cancellation: Cancellation())
  print(p.memory, p.warnings)
} catch { print("error:", error) }
