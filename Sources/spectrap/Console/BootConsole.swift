// The other end of a guest's serial line: this program's standard output, a file, and the keyboard where standard input
// is a terminal.
// Facts: termios(3), cfmakeraw; ioctl_tty(2).

import Boot
import Glibc
import Host
import Hypervisor
import Rendering
import Synchronization
import SystemPackage

/// Where a guest's serial port leads to.
final class BootConsole: SerialLine {
  /// How the guest's bytes are shown.
  enum Form: Equatable {
    /// As they are.
    case raw
    /// Line by line, without what changes more than the text on a terminal; each begins with this.
    case lines(prefix: String)
  }

  private struct Shown {
    /// Whether what was shown last did not end its line.
    var isLineOpen = false
    var failure: Errno?
  }

  private struct Keyboard: ~Copyable {
    var bytes: [UInt8] = []
    var line: InterruptLine?
  }

  private let form: Form
  private let file: FileDescriptor?
  private let isInteractive: Bool
  private let shown = Mutex(Shown())
  private let keyboard = Mutex(Keyboard())
  /// How many bytes the keyboard has for the guest: asked without a lock at each access of the port.
  private let waiting = Atomic(0)

  /// A line that is shown in this form, and kept in a file where there is one.
  init(_ form: Form, file: FileDescriptor?, isInteractive: Bool = false) {
    self.form = form
    self.file = file
    self.isInteractive = isInteractive
  }

  // MARK: Out of the guest

  // A person waits for each key's echo.
  var isPrompt: Bool { isInteractive }

  func put(_ bytes: [UInt8]) {
    shown.withLock { shown in
      if let file { write(bytes, to: file, &shown) }
      switch form {
      case .raw:
        shown.isLineOpen = bytes.last != UInt8(ascii: "\n")
        write(bytes, to: Output.destination, &shown)
      case .lines(let prefix):
        let text = String(decoding: bytes.filter { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
        let lines = text.split(whereSeparator: \.isNewline).map { "\(prefix)\(String($0).printableLine)\n" }
        write(Array(lines.joined().utf8), to: Output.destination, &shown)
      }
    }
  }

  /// Ends a line that the guest has not ended.
  ///
  /// - Throws: `Errno` when something could not be written.
  func finish() throws(Errno) {
    let failure = shown.withLock { shown in
      if shown.isLineOpen { write([UInt8(ascii: "\n")], to: Output.destination, &shown) }
      return shown.failure
    }
    if let failure { throw failure }
  }

  /// Writes bytes until a write fails; the guest goes on, and the failure is reported at its end.
  private func write(_ bytes: [UInt8], to file: FileDescriptor, _ shown: inout Shown) {
    guard shown.failure == nil else { return }
    do throws(Errno) { try file.writeWhole(bytes) } catch { shown.failure = error }
  }

  // MARK: Into the guest

  func take() -> UInt8? {
    guard waiting.load(ordering: .relaxed) > 0 else { return nil }
    return keyboard.withLock { keyboard in
      guard !keyboard.bytes.isEmpty else { return nil }
      waiting.subtract(1, ordering: .relaxed)
      return keyboard.bytes.removeFirst()
    }
  }

  /// From now on each typed byte raises this interrupt line.
  func attach(_ line: consuming InterruptLine) {
    var line: InterruptLine? = line
    keyboard.withLock { $0.line = line.take() }
  }

  /// Gives the guest a byte.
  private func type(_ byte: UInt8) {
    keyboard.withLock { keyboard in
      // A guest that never reads gets no more than this.
      guard keyboard.bytes.count < 4096 else { return }
      keyboard.bytes.append(byte)
      waiting.add(1, ordering: .relaxed)
      // The lock keeps the guest from reading the byte before its interrupt is raised. The call fails when the machine
      // is gone, which needs no interrupt.
      do { try keyboard.line?.set(true) } catch { return }
    }
  }

  // MARK: The terminal

  /// Whether a person types: standard input is a terminal.
  static var hasKeyboard: Bool { isatty(STDIN_FILENO) == 1 }

  /// The key that begins a command to this program (Ctrl-A), and the command that ends it.
  private static let (escape, leave) = (UInt8(1), UInt8(ascii: "x"))

  /// Gives the keyboard to the guest as long as the returned value lives.
  ///
  /// Ctrl-A x cancels `control`; Ctrl-A twice sends one Ctrl-A.
  ///
  /// - Throws: `Failure` when no thread can be made.
  func handOverKeyboard(cancelling control: RunControl) throws -> RawTerminal {
    let terminal = RawTerminal()
    do throws(Errno) { try Thread { self.readKeys(control) }.detach() } catch {
      throw Failure(status: .osError, message: "no thread can be made to read the keyboard: \(error)")
    }
    return terminal
  }

  private func readKeys(_ control: RunControl) {
    var isCommand = false
    while true {
      var keys = [UInt8](repeating: 0, count: 256)
      // Safe: `keys.count` is the buffer's length.
      let count = unsafe read(STDIN_FILENO, &keys, keys.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      for key in keys.prefix(count) {
        if isCommand {
          isCommand = false
          if key == Self.leave { control.cancel() } else { type(key) }
        } else if key == Self.escape {
          isCommand = true
        } else {
          type(key)
        }
      }
    }
  }
}

/// Keeps the terminal on standard input in raw mode as long as the value lives.
struct RawTerminal: ~Copyable {
  private let before: termios?

  fileprivate init() {
    var settings = termios()
    // Safe: the structure is this call's own.
    guard unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else {
      before = nil
      return
    }
    before = settings
    unsafe cfmakeraw(&settings)
    unsafe _ = tcsetattr(STDIN_FILENO, TCSANOW, &settings)
  }

  deinit {
    guard var settings = before else { return }
    // Safe: the structure is this call's own.
    unsafe _ = tcsetattr(STDIN_FILENO, TCSANOW, &settings)
  }
}
