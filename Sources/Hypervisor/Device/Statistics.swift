// KVM's own counters of a VM or a vCPU: the second witness.
// Facts: KVM API document, section 4.131 (KVM_GET_STATS_FD): a header, descriptors with names, a block of 64-bit
// values.

import CKVM
import SystemPackage

/// One reading of KVM's binary statistics.
public struct Statistics: Sendable, Equatable {
  /// The values of each statistic by its name (a histogram has several).
  public let values: [String: [UInt64]]

  /// The counter with this name; nil if this KVM has none.
  public subscript(name: String) -> UInt64? { values[name]?.first }

  /// All exits of the guest, heavy and light: the vCPU statistic `exits`.
  public var exits: UInt64? { self["exits"] }

  /// The growth of each counter that grew, since an earlier reading.
  public func growth(since before: Statistics) -> [String: UInt64] {
    values.reduce(into: [:]) { growth, statistic in
      guard statistic.value.count == 1, let old = before[statistic.key], statistic.value[0] > old else { return }
      growth[statistic.key] = statistic.value[0] - old
    }
  }
}

extension Statistics {
  private static let largestBlock = 1 << 20

  /// Reads the statistics of a VM or a vCPU; nil if KVM lacks KVM_CAP_BINARY_STATS_FD.
  ///
  /// - Throws: `KVMError` when the descriptor cannot be read or its numbers are inconsistent.
  init?(of owner: borrowing Descriptor) throws(KVMError) {
    let raw = ckvm_ioctl(owner.raw, .getStatisticsDescriptor, 0)
    guard raw >= 0 else {
      if -raw == EINVAL || -raw == ENOTTY { return nil }
      throw KVMError(.request(.getStatisticsDescriptor), Errno(rawValue: -raw))
    }
    try self.init(reading: Descriptor(owning: raw))
  }

  /// Reads the statistics from their descriptor.
  ///
  /// - Throws: As above.
  init(reading descriptor: borrowing Descriptor) throws(KVMError) {
    // struct kvm_stats_header: flags, name_size, num_desc, id_offset, desc_offset, data_offset.
    let header = try Self.read(24, at: 0, of: descriptor)
    let field = { (index: Int) in Int(header.integer(at: index * 4, as: UInt32.self)) }
    let (nameSize, count, descriptorOffset, dataOffset) = (field(1), field(2), field(4), field(5))
    // struct kvm_stats_desc: flags, exponent (16 bits), size (16), offset (32), bucket_size (32), name.
    let stride = 16 + nameSize
    guard nameSize < 4096, count < 4096 else { throw KVMError(.readStatistics, .outOfRange) }
    let descriptors = try Self.read(stride * count, at: descriptorOffset, of: descriptor)

    let fields: [(name: String, offset: Int, count: Int)] = (0..<count).map { index in
      let start = index * stride
      let name = descriptors[(start + 16)..<(start + stride)].prefix { $0 != 0 }
      return (
        String(decoding: name, as: UTF8.self), Int(descriptors.integer(at: start + 8, as: UInt32.self)),
        Int(descriptors.integer(at: start + 6, as: UInt16.self))
      )
    }
    let end = fields.map { $0.offset + $0.count * 8 }.max() ?? 0
    guard end <= Self.largestBlock else { throw KVMError(.readStatistics, .outOfRange) }
    let data = try Self.read(end, at: dataOffset, of: descriptor)
    values = Dictionary(
      fields.map { field in
        (field.name, (0..<field.count).map { data.integer(at: field.offset + $0 * 8, as: UInt64.self) })
      }, uniquingKeysWith: { first, _ in first })
  }

  private static func read(_ count: Int, at offset: Int, of descriptor: borrowing Descriptor) throws(KVMError)
    -> [UInt8]
  {
    guard count >= 0, count <= largestBlock else { throw KVMError(.readStatistics, .outOfRange) }
    let file = FileDescriptor(rawValue: descriptor.raw)
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let read: Int
      do {
        // Safe: the buffer is the rest of `bytes`, for the length of the call.
        read = try unsafe bytes.withUnsafeMutableBytes { buffer in
          try unsafe file.read(
            fromAbsoluteOffset: Int64(offset + done), into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]))
        }
      } catch { throw KVMError(.readStatistics, error as? Errno ?? .ioError) }
      guard read > 0 else { throw KVMError(.readStatistics, .outOfRange) }
      done += read
    }
    return bytes
  }
}

extension [UInt8] {
  /// The little-endian integer at this offset.
  fileprivate func integer<T: FixedWidthInteger>(at offset: Int, as: T.Type) -> T {
    (0..<MemoryLayout<T>.size).reduce(0) { $0 | T(truncatingIfNeeded: self[offset + $1]) << T($1 * 8) }
  }
}
