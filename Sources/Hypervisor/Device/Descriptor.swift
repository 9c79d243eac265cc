// An open KVM file: the system, a VM, a vCPU, its statistics. All requests to KVM pass through here.
// Facts: KVM API document, section 2 (file descriptors), section 4 (requests); ioctl(2).

import CKVM
import SystemPackage

/// Owns one descriptor, and closes it when the owner goes.
///
/// Invariant: `raw` is open as long as the value lives, and no other owner closes it.
public struct Descriptor: ~Copyable, Sendable {
  @usableFromInline let raw: CInt

  init(owning raw: CInt) { self.raw = raw }

  deinit { try? FileDescriptor(rawValue: raw).close() }

  /// A second descriptor of the same file.
  ///
  /// - Throws: `KVMError` when this process has no descriptor left.
  func duplicate() throws(KVMError) -> Descriptor {
    do { return Descriptor(owning: try FileDescriptor(rawValue: raw).duplicate().rawValue) } catch {
      throw KVMError(.duplicate, error as? Errno ?? .ioError)
    }
  }

  static func open(_ path: FilePath) throws(KVMError) -> Descriptor {
    do {
      return Descriptor(owning: try FileDescriptor.open(path, .readWrite, options: .closeOnExec).rawValue)
    } catch {
      throw KVMError(.open(path), error as? Errno ?? .ioError)
    }
  }

  /// Makes a request whose argument is a number; the result is 0 or more.
  ///
  /// - Throws: `KVMError` with the kernel's error number.
  @discardableResult
  func request(_ request: Request, _ argument: UInt = 0) throws(KVMError) -> CInt {
    let result = ckvm_ioctl(raw, request, argument)
    // Wrapping, because KVM_GET_TSC_KHZ can return -2^31, which has no negative.
    if result < 0 { throw KVMError(.request(request), Errno(rawValue: 0 &- result)) }
    return result
  }

  /// Makes a request whose argument is a structure that the kernel reads or writes.
  ///
  /// - Throws: `KVMError` with the kernel's error number.
  @discardableResult
  func request<T: BitwiseCopyable>(_ request: Request, _ value: inout T) throws(KVMError) -> CInt {
    // Safe: the kernel touches the structure only during the call, and `T` is the one that the request's number names.
    try unsafe withUnsafeMutablePointer(to: &value) { pointer throws(KVMError) in
      try self.request(request, UInt(bitPattern: pointer))
    }
  }
}
