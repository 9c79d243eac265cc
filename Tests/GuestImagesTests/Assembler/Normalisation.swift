// The listing and objdump write the same instruction differently. Both are brought to one form here; every rule is a
// difference of spelling, none hides a size, a register, an address or a constant.

import GuestImages
import Registers

/// The listing's text with labels replaced by their addresses, as objdump shows them.
func normalise(_ line: ListingLine, _ labels: [Label: UInt64]) -> String {
  var text = squeeze(line.mnemonic)
  for (label, address) in labels {
    text = text.replacing(label.name, with: address.hex)
  }
  return text.replacing(#/(0x[0-9a-f]+)\+(0x[0-9a-f]+)/#) { match in
    (parse(match.1) &+ parse(match.2)).hex  // label + offset
  }
}

/// The text of objdump.
func normalise(_ disassembled: Disassembled, _ mode: CodeMode) -> String {
  var text = squeeze(disassembled.text)
  // Relative addresses: objdump adds the address meant in a remark, the listing shows that one.
  text = text.replacing(#/\[rip[+-]0x[0-9a-f]+\](.*?) *# (0x[0-9a-f]+)/#) { "[rip+\($0.2)]\($0.1)" }
  // An absolute address is ds:0x10 here, [0x10] in the listing; its width shows in the number of bytes.
  text = text.replacing(#/\b([cdefgs]s):(0x[0-9a-f]+)/#) { ($0.1 == "ds" ? "" : $0.1 + ":") + "[\($0.2)]" }
  text = text.replacing("addr32 ", with: "")
  // A displacement of zero that the encoding cannot do without.
  text = text.replacing("+0x0]", with: "]")
  // rep movs byte ptr es:[rdi],byte ptr ds:[rsi] is rep movsb.
  text = text.replacing(#/^(rep )?(ins|outs|movs|stos|lods) .*?(b|w|d|q)[a-z]* ptr .*$/#) {
    "\($0.1 ?? "")\($0.2)\($0.3)"
  }
  // Suffixes that say the mode's own size, or say by name what the prefix says.
  text = text.replacing(#/^(sysret|sysexit)d$/#) { $0.1 }
  if text == "iret" { text = mode == .bits16 ? "iretw" : "iretd" }
  return text
}

private func squeeze(_ text: String) -> String {
  text.lowercased().replacing(#/ +/#, with: " ").replacing(#/ ?([-+*,]) ?/#) { $0.1 }
    .replacing(#/^ | $/#, with: "")
}

private func parse(_ text: Substring) -> UInt64 { UInt64(text.dropFirst(2), radix: 16) ?? 0 }
