// An order to a process that runs a guest, and its answer.

import FoundationEssentials

extension Connection {
  /// How long a process that connects may take to send its order or to read the answer.
  private static let timeout = Duration.seconds(2)
  /// How long an order may take: longer than moving the largest guest.
  private static let longest = Duration.seconds(5400)

  /// Sends an order and waits for the answer until the order can have been carried out.
  ///
  /// - Throws: `TransferError` when no valid answer comes.
  public func order<Answer: Decodable>(_ order: some Encodable, answeredBy: Answer.Type) throws(TransferError) -> Answer
  {
    try post(Message(kind: .order, payload: try json(order)))
    return try value(of: try message(by: .now + Self.longest), of: .answer)
  }

  /// Receives an order.
  ///
  /// - Throws: `TransferError` when no valid order comes in time.
  public func order<Order: Decodable>(as: Order.Type) throws(TransferError) -> Order {
    try value(of: try message(by: .now + Self.timeout), of: .order)
  }

  /// Answers an order.
  ///
  /// - Throws: `TransferError` when the other side is gone.
  public func answer(_ answer: some Encodable) throws(TransferError) {
    try post(Message(kind: .answer, payload: try json(answer)))
  }

  private func post(_ message: Message) throws(TransferError) {
    do { try send(message.bytes, by: .now + Self.timeout) } catch { throw .socket(error.cause) }
  }

  private func value<Value: Decodable>(of message: Message, of kind: MessageKind) throws(TransferError) -> Value {
    guard message.kind == kind else { throw .protocolError("\(message.kind) instead of \(kind)") }
    do { return try JSONDecoder().decode(Value.self, from: Data(message.payload)) } catch {
      throw .protocolError("\(error)")
    }
  }
}
