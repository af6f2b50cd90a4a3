import Architectures
import Foundation
import ReferenceKernels
import TensorTypes
import WeightFormats

@testable import Equivalence

extension RoleInstance {
  /// A role in a layer; in layer 0 when nothing else is said.
  static func of(_ role: Role, _ layer: Int? = 0, expert: Int? = nil) -> RoleInstance {
    RoleInstance(role, layer: layer, expert: expert)
  }
}

extension EditedCheckpoint {
  // MARK: - Whole tensors

  mutating func exchange(_ a: RoleInstance, _ b: RoleInstance) {
    (self[a], self[b]) = (self[b], self[a])
  }

  /// Lets every tensor of two layers change places.
  mutating func exchangeLayers(_ a: Int, _ b: Int) {
    for tensor in tensors where tensor.name.layerNumber == a {
      let other = tensor.name.text.replacing(".\(a).", with: ".\(b).", maxReplacements: 1)
      (self[tensor.name.text], self[other]) = (self[other], self[tensor.name.text])
    }
  }

  mutating func remove(_ name: String) { tensors.remove(at: position(name)) }

  /// Lets the numbers of experts, of which there are four, change places.
  mutating func moveExperts(_ role: Role, _ layer: Int = 0, _ from: (Int) -> Int) {
    let old = (0..<4).map { self[.of(role, layer, expert: $0)] }
    for expert in 0..<4 { self[.of(role, layer, expert: expert)] = old[from(expert)] }
  }

  // MARK: - Rows and elements

  /// Lets each row of a matrix, or each element of a vector, hold another one.
  mutating func moveRows(_ role: RoleInstance, _ from: (Int) -> Int) {
    let shape = type(role).shape
    move(name(role), count: shape.rank == 1 ? shape.rowLength : rowCount(role), from)
  }

  /// Brings rows that stand in pairs into two halves of each head.
  mutating func deinterleave(_ role: RoleInstance, _ head: Int) {
    moveRows(role) { $0 / head * head + $0 % (head / 2) * 2 + $0 % head / (head / 2) }
  }

  /// Brings rows that stand in two halves of each head into pairs.
  mutating func interleave(_ role: RoleInstance, _ head: Int) {
    moveRows(role) { $0 / head * head + $0 % 2 * (head / 2) + $0 % head / 2 }
  }

  /// Lets rows and columns change places, the shape staying as it is.
  mutating func transpose(_ role: RoleInstance, rowCount: Int? = nil) {
    let old = self[role]
    let rows = rowCount ?? self.rowCount(role)
    let columns = (type(role).shape.elementCount ?? 0) / rows
    let width = old.count / (rows * columns)
    self[role] = (0..<rows * columns).flatMap { index in
      let place = index % rows * columns + index / rows
      return old[place * width..<(place + 1) * width]
    }
  }

  /// Changes all values of a tensor in F32 or BF16; in BF16 the result loses its last bits.
  mutating func map(_ role: RoleInstance, _ change: (Float) -> Float) {
    let width = type(role).encoding == .f32 ? 4 : 2
    let old = self[role]
    self[role] = stride(from: 0, to: old.count, by: width).flatMap { place in
      let bits = (0..<width).reduce(UInt32(0)) { $0 | UInt32(old[place + $1]) << UInt32(8 * $1) }
      let value = change(Float(bitPattern: width == 4 ? bits : bits << 16)).bitPattern
      return (0..<width).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * ($0 + 4 - width))) }
    }
  }

  mutating func flip(_ role: RoleInstance, byte: Int, bit: Int) {
    self[role][byte] ^= 1 << UInt8(bit)
  }

  /// Fills the end of a tensor with zeros.
  mutating func clear(_ role: RoleInstance, fromRow row: Int) {
    let length = self[role].count / rowCount(role)
    for place in row * length..<self[role].count { self[role][place] = 0 }
  }

  // MARK: - Blocks

  /// Changes each block of a tensor.
  mutating func mapBlocks(_ role: RoleInstance, _ change: (_ block: inout [UInt8], Int) -> Void) {
    guard case .block(let type) = type(role).encoding else { return }
    let old = self[role]
    self[role] = (0..<old.count / type.byteCount).flatMap { number in
      var block = Array(old[number * type.byteCount..<(number + 1) * type.byteCount])
      change(&block, number)
      return block
    }
  }

  /// Gives each block of Q8_0 the scale of another one.
  mutating func moveScales(
    _ role: RoleInstance, from other: RoleInstance? = nil, _ source: (Int) -> Int
  ) {
    let old = self[other ?? role]
    mapBlocks(role) { block, number in
      block.replaceSubrange(0..<2, with: old[34 * source(number)..<34 * source(number) + 2])
    }
  }

  // MARK: - Codes with scales beside them

  /// The name of a tensor of the same layer: `weight_scale` for one.
  func name(_ role: RoleInstance, _ part: String) -> String {
    name(role).dropLast("weight".utf8.count) + part
  }

  /// The names of all tensors of a layer.
  func names(_ role: RoleInstance) -> [String] {
    let base = name(role, "")
    return tensors.map(\.name.text).filter { $0.hasPrefix(base) }
  }

  /// Lets a layer hold everything of another one.
  mutating func copy(_ role: RoleInstance, from other: RoleInstance) {
    for name in names(role) {
      self[name] = self[self.name(other, String(name.dropFirst(self.name(role, "").utf8.count)))]
    }
  }

  /// Lets all tensors of two layers change places.
  mutating func exchangeLayers(_ a: RoleInstance, _ b: RoleInstance) {
    let old = self
    copy(a, from: b)
    for name in names(b) {
      self[name] = old[self.name(a, String(name.dropFirst(self.name(b, "").utf8.count)))]
    }
  }

  /// Lets the experts of a layer hold all tensors of others.
  mutating func moveLayers(_ role: Role, _ layer: Int, of count: Int, _ from: (Int) -> Int) {
    let old = self
    for expert in 0..<count {
      let own = RoleInstance.of(role, layer, expert: expert)
      let other = RoleInstance.of(role, layer, expert: from(expert))
      for name in names(own) {
        self[name] =
          old[
            old.name(other, String(name.dropFirst(self.name(own, "").utf8.count)))]
      }
    }
  }

  /// Changes each code of a matrix of I8.
  mutating func mapCodes(_ role: RoleInstance, _ change: (Int8) -> Int8) {
    self[role] = self[role].map { UInt8(bitPattern: change(Int8(bitPattern: $0))) }
  }

  /// Changes each value of a tensor in F32.
  mutating func mapFloats(_ name: String, _ change: (Float) -> Float) {
    self[floats: name] = self[floats: name].map(change)
  }

  /// Replaces the type of a tensor in the description, or takes the entry out.
  mutating func editEntry(_ name: String, _ type: String?) {
    editFile("quant_model_description.json") { text in
      guard let key = text.range(of: "\"\(name)\": "),
        let end = text[key.upperBound...].firstIndex(where: { ",\n".contains($0) })
      else { return }
      guard let type else {
        text.removeSubrange(key.lowerBound...end)
        return
      }
      text.replaceSubrange(key.upperBound..<end, with: "\"\(type)\"")
    }
  }

  /// Says something else in what holds for all tensors of the description.
  mutating func restate(_ old: String, _ new: String) {
    editFile("quant_model_description.json") { text in
      text = text.replacing(old, with: new, maxReplacements: 1)
    }
  }

  // MARK: - Settings

  /// Sets a key behind the name of the architecture.
  mutating func set(_ key: String, _ value: MetadataValue) {
    metadata.set(ByteString(setting(key)), value)
  }

  func setting(_ key: String) -> String {
    "\(metadata["general.architecture"]?.string?.text ?? "").\(key)"
  }

  mutating func remove(key: String) {
    metadata = Metadata(
      metadata.items.filter { $0.key.text != key }.map { ($0.key, $0.value) })
  }

  mutating func editStrings(_ key: ByteString, _ change: (inout [ByteString]) -> Void) {
    guard case .array(.string(var strings)) = metadata[key] else { return }
    change(&strings)
    metadata.set(key, .array(.string(strings)))
  }

  /// Replaces the text of a value of `config.json`.
  mutating func editConfig(_ key: String, _ change: (String) -> String) {
    editFile("config.json") { text in
      guard let start = text.range(of: "\"\(key)\": "),
        let end = text[start.upperBound...].firstIndex(where: { ",\n}".contains($0) })
      else { return }
      let value = start.upperBound..<end
      text.replaceSubrange(value, with: change(String(text[value])))
    }
  }

  mutating func editFile(_ name: String, _ change: (inout String) -> Void) {
    guard let bytes = files[name] else { return }
    var text = String(decoding: bytes, as: UTF8.self)
    change(&text)
    files[name] = Array(text.utf8)
  }
}

/// The bits of an F16.
func half(_ value: Double) -> UInt16 {
  let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
  return sign | UInt16(FloatFormat.f16.ordinal(FloatFormat.f16.rounding(value.magnitude)))
}

/// The value of the bits of an F16.
func halfValue(_ bits: UInt16) -> Double {
  let magnitude = FloatFormat.f16.value(of: UInt64(bits & 0x7FFF))
  return bits & 0x8000 == 0 ? magnitude : -magnitude
}
