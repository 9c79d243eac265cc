// In these tests a name is written as it stands in results.

import Registers

extension Known: @retroactive ExpressibleByUnicodeScalarLiteral,
  @retroactive ExpressibleByExtendedGraphemeClusterLiteral,
  @retroactive ExpressibleByStringLiteral
{
  public init(stringLiteral text: String) { self.init(text) }
}
