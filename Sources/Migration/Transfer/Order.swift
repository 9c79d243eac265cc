// An order to a process that runs a guest, and its answer.

import FoundationEssentials

extension Connection {
  /// How long somebody who connects may take to say what he wants, or to hear the answer.
  private static let patience = Duration.seconds(2)
  /// How long an order may take: longer than all phases of the move of the largest guest.
  private static let longest = Duration.seconds(5400)

  /// Gives an order and waits for the answer, as long as carrying it out may take.
  ///
  /// - Throws: `TransferError` when the other side goes without one, or it is none.
  public func order<Answer: Decodable>(_ order: some Encodable, answeredBy: Answer.Type) throws(TransferError) -> Answer
  {
    try post(Message(kind: .order, payload: try json(order)))
    return try value(of: try message(by: .now + Self.longest), of: .answer)
  }

  /// Receives an order.
  ///
  /// - Throws: `TransferError` when none comes in time, or it is none.
  public func order<Order: Decodable>(as: Order.Type) throws(TransferError) -> Order {
    try value(of: try message(by: .now + Self.patience), of: .order)
  }

  /// Answers an order.
  ///
  /// - Throws: `TransferError` when the other side is gone.
  public func answer(_ answer: some Encodable) throws(TransferError) {
    try post(Message(kind: .answer, payload: try json(answer)))
  }

  private func post(_ message: Message) throws(TransferError) {
    do { try send(message.bytes, by: .now + Self.patience) } catch { throw .socket(error.cause) }
  }

  private func value<Value: Decodable>(of message: Message, of kind: MessageKind) throws(TransferError) -> Value {
    guard message.kind == kind else { throw .protocolError("\(message.kind) instead of \(kind)") }
    do { return try JSONDecoder().decode(Value.self, from: Data(message.payload)) } catch {
      throw .protocolError("\(error)")
    }
  }
}
