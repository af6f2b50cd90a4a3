import TensorTypes

extension RuleSet {
  /// Equations that hold for every model and target: they remove what undoes itself, and bring each
  /// output into the form that the planner reads: a cast of parts that are views of sources.
  public static let canonicalise = RuleSet(
    phase: "canonicalise",
    rules: [
      Rule(
        name: "cast-to-same",
        law: "cast(e, x) = x when x has encoding e",
        fidelity: .bitExact,
        pattern: .op(.cast, [.bind("x")]),
        rewrite: { m in m.graph[m.root].type == m.type("x") ? .node(m["x"]) : nil },
        example: { () throws(Failure) in
          try example(of: .f16) { (g, x) throws(Failure) in try g.add(.cast(.f16), [x]) }
        }),
      Rule(
        name: "cast-after-widening",
        law: "cast(b, cast(a, x)) = cast(b, x) when a holds every value of x",
        fidelity: .bitExact,
        pattern: .op(.cast, [.op(.cast, [.bind("x")], as: "inner")]),
        rewrite: { m in
          guard case .plain(let from) = m.type("x").encoding,
            case .plain(let through) = m.type("inner").encoding,
            from.isExactly(representableIn: through)
          else { return nil }
          return .op(m.graph[m.root].op, [.node(m["x"])])
        },
        example: { () throws(Failure) in
          try example(of: .bf16) { (g, x) throws(Failure) in
            try g.add(.cast(.f16), [g.add(.cast(.f32), [x])])
          }
        }),
      Rule(
        name: "reshape-to-same",
        law: "reshape(s, x) = x when x has shape s",
        fidelity: .bitExact,
        pattern: .op(.reshape, [.bind("x")]),
        rewrite: { m in m.graph[m.root].type == m.type("x") ? .node(m["x"]) : nil },
        example: { () throws(Failure) in
          try example(of: .f32) { (g, x) throws(Failure) in try g.add(.reshape([4, 6]), [x]) }
        }),
      Rule(
        name: "reshape-of-reshape",
        law: "reshape(s, reshape(t, x)) = reshape(s, x)",
        fidelity: .bitExact,
        pattern: .op(.reshape, [.op(.reshape, [.bind("x")])]),
        rewrite: { m in .op(m.graph[m.root].op, [.node(m["x"])]) },
        example: { () throws(Failure) in
          try example(of: .f32) { (g, x) throws(Failure) in
            try g.add(.reshape([3, 8]), [g.add(.reshape([24]), [x])])
          }
        }),
      Rule(
        name: "permute-nothing",
        law: "permute(identity, x) = x",
        fidelity: .bitExact,
        pattern: .op(.permute, [.bind("x")], as: "p"),
        rewrite: { m in
          guard case .permute(let order) = m.op("p"), order == Array(order.indices) else {
            return nil
          }
          return .node(m["x"])
        },
        example: { () throws(Failure) in
          try example(of: .f32) { (g, x) throws(Failure) in try g.add(.permute([0, 1]), [x]) }
        }),
      Rule(
        name: "permute-of-permute",
        law: "permute(p, permute(q, x)) = permute(q∘p, x)",
        fidelity: .bitExact,
        pattern: .op(.permute, [.op(.permute, [.bind("x")], as: "q")], as: "p"),
        rewrite: { m in
          guard case .permute(let p) = m.op("p"), case .permute(let q) = m.op("q") else {
            return nil
          }
          return .op(.permute(p.map { q[$0] }), [.node(m["x"])])
        },
        example: { () throws(Failure) in
          try example(of: .f32) { (g, x) throws(Failure) in
            try g.add(.permute([1, 0]), [g.add(.permute([1, 0]), [x])])
          }
        }),
      Rule(
        name: "slice-of-everything",
        law: "slice(all, x) = x",
        fidelity: .bitExact,
        pattern: .op(.slice, [.bind("x")]),
        rewrite: { m in m.graph[m.root].type == m.type("x") ? .node(m["x"]) : nil },
        example: { () throws(Failure) in
          try example(of: .f32) { (g, x) throws(Failure) in
            try g.add(.slice(axis: 0, start: 0, count: 4), [x])
          }
        }),
      Rule(
        name: "slice-of-slice",
        law: "slice(a, slice(b, x)) = slice(b + a, x) on the same axis",
        fidelity: .bitExact,
        pattern: .op(.slice, [.op(.slice, [.bind("x")], as: "b")], as: "a"),
        rewrite: { m in
          guard case .slice(let axis, let start, let count) = m.op("a"),
            case .slice(axis, let first, _) = m.op("b")
          else { return nil }
          return .op(.slice(axis: axis, start: first + start, count: count), [.node(m["x"])])
        },
        example: { () throws(Failure) in
          try example(of: .f32) { (g, x) throws(Failure) in
            try g.add(
              .slice(axis: 0, start: 1, count: 1), [g.add(.slice(axis: 0, start: 1, count: 3), [x])]
            )
          }
        }),
      Rule(
        name: "slice-of-stack",
        law: "slice(0, i, 1, stack(x…)) = reshape([1] + shape, xᵢ)",
        fidelity: .bitExact,
        pattern: .op(.slice, [.bind("s")], as: "a"),
        rewrite: { m in
          guard case .slice(0, let start, 1) = m.op("a"), m.op("s") == .stack else { return nil }
          return .op(
            .reshape(m.graph[m.root].type.shape), [.node(m.graph[m["s"]].inputs[start])])
        },
        example: { () throws(Failure) in
          try example(of: .f32) { (g, x) throws(Failure) in
            let y = try g.add(.permute([1, 0]), [x])
            let z = try g.add(.reshape([6, 4]), [x])
            return try g.add(.slice(axis: 0, start: 1, count: 1), [g.add(.stack, [y, z])])
          }
        }),
      Rule(
        name: "stack-of-slices",
        law: "stack(reshape(slice(0, 0, 1, x)), reshape(slice(0, 1, 1, x)), …) = x",
        fidelity: .bitExact,
        pattern: .each(.stack, .op(.reshape, [.op(.slice, [.bind("x")])])),
        rewrite: { m in
          guard m.type("x") == m.graph[m.root].type else { return nil }
          for (position, part) in m.graph[m.root].inputs.enumerated() {
            let slice = m.graph[m.graph[part].inputs[0]]
            guard slice.op == .slice(axis: 0, start: position, count: 1), slice.inputs == [m["x"]]
            else { return nil }
          }
          return .node(m["x"])
        },
        example: { () throws(Failure) in
          try example(of: .f32) { (g, x) throws(Failure) in
            var parts: [NodeID] = []
            for row in 0..<4 {
              parts.append(
                try g.add(.reshape([6]), [g.add(.slice(axis: 0, start: row, count: 1), [x])]))
            }
            return try g.add(.stack, parts)
          }
        }),
      Rule(
        name: "stack-of-one",
        law: "stack(x) = reshape([1] + shape, x)",
        fidelity: .bitExact,
        pattern: .op(.stack, [.bind("x")]),
        rewrite: { m in .op(.reshape(m.graph[m.root].type.shape), [.node(m["x"])]) },
        example: { () throws(Failure) in
          try example(of: .f32) { (g, x) throws(Failure) in try g.add(.stack, [x]) }
        }),
      Rule(
        name: "concat-of-one",
        law: "concat(axis, x) = x",
        fidelity: .bitExact,
        pattern: .op(.concat, [.bind("x")]),
        rewrite: { m in .node(m["x"]) },
        example: { () throws(Failure) in
          try example(of: .f32) { (g, x) throws(Failure) in try g.add(.concat(axis: 0), [x]) }
        }),
      Rule(
        name: "quantize-after-widening",
        law: "quantize(s, cast(f32, x)) = quantize(s, x) when F32 holds every value of x",
        fidelity: .bitExact,
        pattern: .op(.quantize, [.op(.cast, [.bind("x")], as: "cast")]),
        rewrite: { m in
          guard m.type("cast").encoding == .f32, case .plain(let from) = m.type("x").encoding,
            from.isExactly(representableIn: .f32)
          else { return nil }
          return .op(m.graph[m.root].op, [.node(m["x"])])
        },
        example: { () throws(Failure) in
          try example(of: .bf16) { (g, x) throws(Failure) in
            try g.add(.quantize(.int8Channel, .codes), [g.add(.cast(.f32), [x])])
          }
        }),
      Rule(
        name: "quantize-dequantized",
        law: "quantize(s, dequantize(g, x, c)) = requantize(g, s, x, c)",
        fidelity: .bitExact,
        pattern: .op(.quantize, [.op(.dequantize, [.bind("x"), .bind("c")], as: "values")]),
        rewrite: { m in
          guard case .quantize(let scheme, let part) = m.graph[m.root].op,
            case .dequantize(let grid) = m.op("values")
          else { return nil }
          return .op(.requantize(grid, scheme, part), [.node(m["x"]), .node(m["c"])])
        },
        example: { () throws(Failure) in
          var graph = WeightGraph(sources: [
            TensorType(shape: [6, 8], encoding: .plain(.f8e4m3)),
            TensorType(shape: [2, 2], encoding: .f32),
          ])
          let matrix = try graph.add(
            .dequantize(.blocks(4, 4)), [graph.add(.load(0)), graph.add(.load(1))])
          let node = try graph.add(.quantize(.int8Channel, .codes), [matrix])
          graph.outputs = [WeightGraph.Output(name: "y", node: node)]
          return graph
        }),
      Rule(
        name: "dequantize-by-one-scale",
        law: "dequantize(g, x, s) = dequantize(tensor, x, s) when s is one scale",
        fidelity: .bitExact,
        pattern: .op(.dequantize, [.bind("x"), .bind("s")]),
        rewrite: { m in
          guard m.graph[m.root].op != .dequantize(.tensor), m.type("s").shape.elementCount == 1
          else { return nil }
          return .op(.dequantize(.tensor), [.node(m["x"]), .node(m["s"])])
        },
        example: { () throws(Failure) in
          var graph = WeightGraph(sources: [
            TensorType(shape: [4, 6], encoding: .plain(.f8e4m3)),
            TensorType(shape: [1, 1], encoding: .f32),
          ])
          let node = try graph.add(
            .dequantize(.blocks(128, 128)), [graph.add(.load(0)), graph.add(.load(1))])
          graph.outputs = [WeightGraph.Output(name: "y", node: node)]
          return graph
        }),
      Rule(
        name: "pad-nothing",
        law: "pad(s, x) = x when x has shape s",
        fidelity: .bitExact,
        pattern: .op(.pad, [.bind("x")]),
        rewrite: { m in m.graph[m.root].type == m.type("x") ? .node(m["x"]) : nil },
        example: { () throws(Failure) in
          try example(of: .f32) { (g, x) throws(Failure) in try g.add(.pad([4, 6]), [x]) }
        }),
      Rule(
        name: "pad-of-pad",
        law: "pad(s, pad(t, x)) = pad(s, x)",
        fidelity: .bitExact,
        pattern: .op(.pad, [.op(.pad, [.bind("x")])]),
        rewrite: { m in .op(m.graph[m.root].op, [.node(m["x"])]) },
        example: { () throws(Failure) in
          try example(of: .f32) { (g, x) throws(Failure) in
            try g.add(.pad([8, 7]), [g.add(.pad([5, 7]), [x])])
          }
        }),
      Rule(
        name: "pad-before-permute",
        law: "pad(s, permute(p, x)) = permute(p, pad(s∘p⁻¹, x))",
        fidelity: .bitExact,
        pattern: .op(.pad, [.op(.permute, [.bind("x")], as: "p")], as: "pad"),
        rewrite: { m in
          guard case .permute(let p) = m.op("p"), case .pad(let shape) = m.op("pad") else {
            return nil
          }
          var axes = shape.axes
          for (axis, source) in p.enumerated() { axes[source] = shape.axes[axis] }
          return .op(m.op("p"), [.op(.pad(Shape(axes)), [.node(m["x"])])])
        },
        example: { () throws(Failure) in
          try example(of: .f32) { (g, x) throws(Failure) in
            try g.add(.pad([7, 5]), [g.add(.permute([1, 0]), [x])])
          }
        }),
      commute(.permute), commute(.reshape), commute(.slice), commute(.pad), commute(.tile),
      gather(.stack), gather(.concat),
    ])

  /// Moving elements and casting them are independent, so casts move outwards.
  private static func commute(_ kind: Op.Kind) -> Rule {
    Rule(
      name: "\(kind.rawValue)-before-cast",
      law: "\(kind.rawValue)(cast(e, x)) = cast(e, \(kind.rawValue)(x)) for plain encodings",
      fidelity: .bitExact,
      pattern: .op(kind, [.op(.cast, [.bind("x")], as: "cast")]),
      rewrite: { m in
        guard m.type("x").encoding.isPlain, m.type("cast").encoding.isPlain else { return nil }
        return .op(m.op("cast"), [.op(m.graph[m.root].op, [.node(m["x"])])])
      },
      example: { () throws(Failure) in
        try example(of: .f32) { (g, x) throws(Failure) in
          let cast = try g.add(.cast(.bf16), [x])
          return switch kind {
          case .permute: try g.add(.permute([1, 0]), [cast])
          case .reshape: try g.add(.reshape([24]), [cast])
          case .pad: try g.add(.pad([5, 8]), [cast])
          case .tile: try g.add(.tile(rows: 2, columns: 3), [cast])
          default: try g.add(.slice(axis: 1, start: 2, count: 3), [cast])
          }
        }
      })
  }

  private static func gather(_ kind: Op.Kind) -> Rule {
    Rule(
      name: "\(kind.rawValue)-before-cast",
      law:
        "\(kind.rawValue)(cast(e, x)…) = cast(e, \(kind.rawValue)(x…)) for inputs of one plain encoding",
      fidelity: .bitExact,
      pattern: .each(kind, .op(.cast, [.bind("x")], as: "cast")),
      rewrite: { m in
        let inputs = m.graph[m.root].inputs.map { m.graph[$0].inputs[0] }
        guard m.type("x").encoding.isPlain, m.type("cast").encoding.isPlain,
          inputs.allSatisfy({ m.graph[$0].type.encoding == m.type("x").encoding })
        else { return nil }
        return .op(m.op("cast"), [.op(m.graph[m.root].op, inputs.map { .node($0) })])
      },
      example: { () throws(Failure) in
        try example(of: .f32) { (g, x) throws(Failure) in
          let flipped = try g.add(.reshape([4, 6]), [g.add(.permute([1, 0]), [x])])
          let parts = [try g.add(.cast(.f16), [x]), try g.add(.cast(.f16), [flipped])]
          return try g.add(kind == .stack ? .stack : .concat(axis: 0), parts)
        }
      })
  }

  /// A graph over one source of shape [4, 6], with what `body` makes of it as the only output.
  private static func example(
    of encoding: Encoding,
    _ body: (inout WeightGraph, NodeID) throws(Failure) -> NodeID
  ) throws(Failure) -> WeightGraph {
    var graph = WeightGraph(sources: [TensorType(shape: [4, 6], encoding: encoding)])
    let x = try graph.add(.load(0))
    let node = try body(&graph, x)
    graph.outputs = [WeightGraph.Output(name: "y", node: node)]
    return graph
  }
}
