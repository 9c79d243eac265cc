// In these tests a name is written as it stands in results.

public import Registers

extension Known: ExpressibleByUnicodeScalarLiteral, ExpressibleByExtendedGraphemeClusterLiteral,
  ExpressibleByStringLiteral
{
  public init(stringLiteral text: String) { self.init(text) }
}
