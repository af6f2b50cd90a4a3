import TensorTypes

extension RuleSet {
  /// What ops mean in terms of simpler ones. No conversion applies these equations; planner,
  /// executor and reference kernels must keep them, and each shows on its example what an op does.
  public static let define = RuleSet(
    phase: "define",
    rules: [
      Rule(
        name: "dequantize-by-blocks",
        law: "dequantize(a×b, x, s) = concat(dequantize(tensor, xᵢⱼ, sᵢⱼ)…) over blocks of a×b",
        fidelity: .bitExact,
        pattern: .op(.dequantize, [.bind("x"), .bind("s")]),
        rewrite: { m in
          guard case .dequantize(let grid) = m.graph[m.root].op, let height = grid.rows,
            let width = grid.columns, let (down, across) = grid.counts(of: m.type("x").shape),
            down * across > 1
          else { return nil }
          let axes = m.type("x").shape.axes
          let scales = Term.op(.reshape([down, across]), [.node(m["s"])])
          let bands = (0..<down).map { band in
            Term.op(
              .concat(axis: 1),
              (0..<across).map { place in
                let (top, left) = (band * height, place * width)
                let block = part(
                  .node(m["x"]), top, min(height, axes[0] - top), left,
                  min(width, axes[1] - left))
                return .op(.dequantize(.tensor), [block, part(scales, band, 1, place, 1)])
              })
          }
          return .op(.concat(axis: 0), bands)
        },
        example: { () throws(Failure) in
          var graph = WeightGraph(sources: [
            TensorType(shape: [200, 150], encoding: .plain(.f8e4m3)),
            TensorType(shape: [2, 2], encoding: .f32),
          ])
          let node = try graph.add(
            .dequantize(.blocks(128, 128)), [graph.add(.load(0)), graph.add(.load(1))])
          graph.outputs = [WeightGraph.Output(name: "y", node: node)]
          return graph
        }),
      Rule(
        name: "quantize-by-rows",
        law: "quantize(s, x) = concat(quantize(s, rowᵢ of x)…) when every row has its own scales",
        fidelity: .bitExact,
        pattern: .op(.quantize, [.bind("x")]),
        rewrite: { m in
          let count = m.type("x").shape.axes[0]
          guard case .quantize(let scheme, _) = m.graph[m.root].op, scheme.rowMultiple == 1,
            count > 1
          else { return nil }
          let rows = (0..<count).map { row in
            Term.op(
              m.graph[m.root].op,
              [.op(.slice(axis: 0, start: row, count: 1), [.node(m["x"])])])
          }
          return .op(.concat(axis: 0), rows)
        },
        example: { () throws(Failure) in
          try example([5, 7]) { (g, x) throws(Failure) in
            try g.add(.quantize(.int8Channel, .codes), [x])
          }
        }),
      Rule(
        name: "requantize-by-values",
        law: "requantize(g, s, x, c) = quantize(s, dequantize(g, x, c))",
        fidelity: .bitExact,
        pattern: .op(.requantize, [.bind("x"), .bind("c")]),
        rewrite: { m in
          guard case .requantize(let grid, let scheme, let part) = m.graph[m.root].op else {
            return nil
          }
          let values = Term.op(.dequantize(grid), [.node(m["x"]), .node(m["c"])])
          return .op(.quantize(scheme, part), [values])
        },
        example: { () throws(Failure) in
          var graph = WeightGraph(sources: [
            TensorType(shape: [6, 8], encoding: .plain(.f8e4m3)),
            TensorType(shape: [2, 2], encoding: .f32),
          ])
          let node = try graph.add(
            .requantize(.blocks(4, 4), .int8Channel, .scales),
            [graph.add(.load(0)), graph.add(.load(1))])
          graph.outputs = [WeightGraph.Output(name: "y", node: node)]
          return graph
        }),
      Rule(
        name: "split-heads",
        law: "slice(1, a, k, reshape([h, m, n], x)) = stack(slice(0, i·m + a, k, x)…), i below h: "
          + "the keys, a = 0, or values of h heads of MLA",
        fidelity: .bitExact,
        pattern: .op(.slice, [.op(.reshape, [.bind("x")], as: "heads")], as: "part"),
        rewrite: { m in
          let axes = m.type("heads").shape.axes
          guard case .slice(1, let start, let count) = m.op("part"), axes.count == 3,
            m.type("x").shape.axes == [axes[0] * axes[1], axes[2]]
          else { return nil }
          let rows = (0..<axes[0]).map { head in
            Term.op(
              .slice(axis: 0, start: head * axes[1] + start, count: count), [.node(m["x"])])
          }
          return .op(.stack, rows)
        },
        example: { () throws(Failure) in
          try example([15, 4]) { (g, x) throws(Failure) in
            let heads = try g.add(.reshape([3, 5, 4]), [x])
            return try g.add(.slice(axis: 1, start: 2, count: 3), [heads])
          }
        }),
      Rule(
        name: "stack-by-joining",
        law: "stack(x…) = reshape([n] + shape, concat(0, x…)): the experts of a layer",
        fidelity: .bitExact,
        pattern: .each(.stack, .bind("x")),
        rewrite: { m in
          let shape = m.graph[m.root].type.shape
          guard shape.rank > 1 else { return nil }
          let inputs = m.graph[m.root].inputs.map(Term.node)
          return .op(.reshape(shape), [.op(.concat(axis: 0), inputs)])
        },
        example: { () throws(Failure) in
          try example([4, 6]) { (g, x) throws(Failure) in
            let other = try g.add(.reshape([4, 6]), [g.add(.permute([1, 0]), [x])])
            return try g.add(.stack, [x, other, x])
          }
        }),
      Rule(
        name: "pad-by-joining",
        law: "pad([r, c], x) = concat(0, concat(1, x, zeros), zeros) for matrices of F32",
        fidelity: .bitExact,
        pattern: .op(.pad, [.bind("x")]),
        rewrite: { m in
          let (from, to) = (m.type("x").shape.axes, m.graph[m.root].type.shape.axes)
          guard m.type("x").encoding == .f32, from.count == 2 else { return nil }
          let right = Term.op(.fill(0, [from[0], to[1] - from[1]]), [])
          let below = Term.op(.fill(0, [to[0] - from[0], to[1]]), [])
          return .op(.concat(axis: 0), [.op(.concat(axis: 1), [.node(m["x"]), right]), below])
        },
        example: { () throws(Failure) in
          try example([4, 6]) { (g, x) throws(Failure) in try g.add(.pad([5, 9]), [x]) }
        }),
      Rule(
        name: "tile-by-moving",
        law: "tile(r, c, x) = permute([2, 0, 1, 3], reshape([R / r, r, C / c, c], x))",
        fidelity: .bitExact,
        pattern: .op(.tile, [.bind("x")], as: "tile"),
        rewrite: { m in
          guard case .tile(let rows, let columns) = m.op("tile") else { return nil }
          let axes = m.type("x").shape.axes
          let split = Shape([axes[0] / rows, rows, axes[1] / columns, columns])
          return .op(.permute([2, 0, 1, 3]), [.op(.reshape(split), [.node(m["x"])])])
        },
        example: { () throws(Failure) in
          try example([6, 8]) { (g, x) throws(Failure) in
            try g.add(.tile(rows: 3, columns: 2), [x])
          }
        }),
    ])

  /// Some rows and columns of a matrix.
  private static func part(
    _ matrix: Term, _ top: Int, _ rows: Int, _ left: Int, _ columns: Int
  ) -> Term {
    .op(
      .slice(axis: 1, start: left, count: columns),
      [.op(.slice(axis: 0, start: top, count: rows), [matrix])])
  }

  /// A graph over one matrix of F32, with what `body` makes of it as the only output.
  private static func example(
    _ shape: Shape, _ body: (inout WeightGraph, NodeID) throws(Failure) -> NodeID
  ) throws(Failure) -> WeightGraph {
    var graph = WeightGraph(sources: [TensorType(shape: shape, encoding: .f32)])
    let node = try body(&graph, try graph.add(.load(0)))
    graph.outputs = [WeightGraph.Output(name: "y", node: node)]
    return graph
  }
}
