// The API of this module is spelled in the types of these two, so whoever imports it has them.

@_exported public import Host
@_exported public import Registers
