// Receives orders to move a running guest, through a socket.

public import Hypervisor
public import Migration
import Synchronization
public import SystemPackage

/// Waits beside a running guest for orders to move it.
public final class MoveDesk: Sendable {
  /// An order, with the connected destination and the connection to the sender of the order.
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

    /// Answers the sender of the order, if it still waits.
    func answer(_ result: MoveResult) {
      try? connection.answer(result)
      answered.store(true, ordering: .releasing)
    }

    fileprivate var isAnswered: Bool { answered.load(ordering: .acquiring) }
  }

  /// The interval of checks whether an order has been carried out.
  private static let period = Duration.milliseconds(5)

  private let waiting = Mutex<Order?>(nil)
  private let isClosed = Atomic(false)
  private let thread = Mutex<Thread?>(nil)

  /// Waits at a path.
  ///
  /// An order pauses `control`; the guest's run then takes the order.
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
    // Connections without a valid order are closed.
    while let connection = try? listener.accept(unless: { isClosed.load(ordering: .relaxed) }) {
      guard let request = try? connection.order(as: MoveRequest.self) else { continue }
      // The guest is not paused before the destination is connected.
      let destination: Destination
      do { destination = try Destination(request, unless: { isClosed.load(ordering: .relaxed) }) } catch {
        try? connection.answer(MoveResult.failed("\(error)"))
        continue
      }
      let order = Order(request, destination, over: connection)
      waiting.withLock { $0 = order }
      control.pause()
      // One order at a time: others wait in the socket's queue.
      while !order.isAnswered, !isClosed.load(ordering: .relaxed) { Thread.sleep(for: Self.period) }
    }
  }

  /// Carries a listener into a thread.
  private final class Box: Sendable {
    let listener: Listener
    init(_ listener: consuming Listener) { self.listener = listener }
  }

  /// Takes the waiting order, if there is one.
  func takeOrder() -> Order? { waiting.withLock { $0.take() } }

  /// Stops waiting and removes the socket's file.
  public func close() {
    isClosed.store(true, ordering: .relaxed)
    thread.withLock { $0.take() }?.join()
    takeOrder()?.answer(.ended(nil))
  }

  /// Orders the guest of the desk at a path to move, and waits for the result.
  ///
  /// - Throws: `TransferError` when no guest runs there, or no answer comes.
  public static func order(_ request: MoveRequest, at path: FilePath) throws(TransferError) -> MoveResult {
    let connection: Connection
    do { connection = try Connection(to: path) } catch { throw .socket(error) }
    return try connection.order(request, answeredBy: MoveResult.self)
  }
}
