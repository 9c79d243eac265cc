// Where a running guest can be ordered to move: a socket beside it, and the order that has come.

public import Hypervisor
public import Migration
import Synchronization

/// Waits beside a running guest for somebody to order its move.
public final class MoveDesk: Sendable {
  /// An order that has come, with the way back to who gave it.
  final class Order: Sendable {
    let request: MoveRequest
    private let connection: Connection

    fileprivate init(_ request: MoveRequest, over connection: consuming Connection) {
      self.request = request
      self.connection = connection
    }

    /// Tells the one who gave the order; nobody may be there any more.
    func answer(_ result: MoveResult) { try? connection.answer(result) }
  }

  private let waiting = Mutex<Order?>(nil)
  private let isClosed = Atomic(false)
  private let thread = Mutex<Thread?>(nil)

  /// Waits at a path; an order pauses `control`, and the guest's run finds it.
  ///
  /// `close()` must follow. Throws `SocketError` when nothing can wait there; `Errno` when the system has no thread left.
  public init(at path: String, pausing control: RunControl) throws {
    let box = Box(try Listener(at: path))
    var started: Thread? = try Thread { [self] in
      while let connection = try? box.listener.accept(unless: { isClosed.load(ordering: .relaxed) }) {
        guard let request = try? connection.order(as: MoveRequest.self) else { continue }
        let order = Order(request, over: connection)
        waiting.withLock { $0 = order }
        control.pause()
      }
    }
    thread.withLock { swap(&$0, &started) }
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
  }

  /// Orders the guest that runs beside the desk at a path to move, and waits for what comes of it.
  ///
  /// Throws `TransferError` when no guest runs there, or it ends without a word.
  public static func order(_ request: MoveRequest, at path: String) throws(TransferError) -> MoveResult {
    let connection: Connection
    do { connection = try Connection(to: path) } catch { throw .socket(error) }
    return try connection.order(request, answeredBy: MoveResult.self)
  }
}
