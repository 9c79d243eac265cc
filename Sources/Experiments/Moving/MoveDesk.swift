// Where a running guest can be ordered to move: a socket beside it, and the order that has come.

public import Hypervisor
public import Migration
import Synchronization
public import SystemPackage

/// Waits beside a running guest for somebody to order its move.
public final class MoveDesk: Sendable {
  /// An order that has come, with the destination on the line and the way back to who gave it.
  final class Order: Sendable {
    let request: MoveRequest
    let destination: Destination
    private let connection: Connection
    private let answered = Atomic(false)

    fileprivate init(_ request: MoveRequest, _ destination: Destination, over connection: consuming Connection) {
      self.request = request
      self.destination = destination
      self.connection = connection
    }

    /// Tells the one who gave the order; nobody may be there any more.
    func answer(_ result: MoveResult) {
      try? connection.answer(result)
      answered.store(true, ordering: .releasing)
    }

    fileprivate var isAnswered: Bool { answered.load(ordering: .acquiring) }
  }

  /// How often it is asked whether an order has been carried out.
  private static let period = Duration.milliseconds(5)

  private let waiting = Mutex<Order?>(nil)
  private let isClosed = Atomic(false)
  private let thread = Mutex<Thread?>(nil)

  /// Waits at a path; an order pauses `control`, and the guest's run finds it.
  ///
  /// `close()` must follow.
  ///
  /// - Throws: `SocketError` when nothing can wait there; `NoThread` when the system has no thread left.
  public init(at path: FilePath, pausing control: RunControl) throws {
    let box = Box(try Listener(at: path))
    var started: Thread?
    do { started = try Thread { [self] in self.wait(at: box.listener, pausing: control) } } catch {
      throw NoThread(code: error)
    }
    thread.withLock { swap(&$0, &started) }
  }

  /// No thread could be made to wait for orders.
  public struct NoThread: Error, Equatable, CustomStringConvertible {
    public let code: Errno

    public var description: String {
      "no thread can be made to wait for orders: \(code); end other programs, or raise the limit of this user or control "
        + "group (ulimit -u, pids.max)"
    }
  }

  private func wait(at listener: borrowing Listener, pausing control: RunControl) {
    // Strangers are sent away.
    while let connection = try? listener.accept(unless: { isClosed.load(ordering: .relaxed) }) {
      guard let request = try? connection.order(as: MoveRequest.self) else { continue }
      // The guest runs on until there is somebody to move to.
      let destination: Destination
      do { destination = try Destination(request, unless: { isClosed.load(ordering: .relaxed) }) } catch {
        try? connection.answer(MoveResult.failed("\(error)"))
        continue
      }
      let order = Order(request, destination, over: connection)
      waiting.withLock { $0 = order }
      control.pause()
      // One at a time: whoever comes meanwhile waits in the socket's queue.
      while !order.isAnswered, !isClosed.load(ordering: .relaxed) { Thread.sleep(for: Self.period) }
    }
  }

  /// A listener that a thread takes along.
  private final class Box: Sendable {
    let listener: Listener
    init(_ listener: consuming Listener) { self.listener = listener }
  }

  /// The order that has come, once.
  func takeOrder() -> Order? { waiting.withLock { $0.take() } }

  /// Waits no longer; the socket's file goes.
  public func close() {
    isClosed.store(true, ordering: .relaxed)
    thread.withLock { $0.take() }?.join()
    takeOrder()?.answer(.ended(nil))
  }

  /// Orders the guest that runs beside the desk at a path to move, and waits for what comes of it.
  ///
  /// - Throws: `TransferError` when no guest runs there, or it ends without a word.
  public static func order(_ request: MoveRequest, at path: FilePath) throws(TransferError) -> MoveResult {
    let connection: Connection
    do { connection = try Connection(to: path) } catch { throw .socket(error) }
    return try connection.order(request, answeredBy: MoveResult.self)
  }
}
