// The example of the module's overview page, which shows it from the first import on.

import Registers

/// What a value of IA32_SPEC_CTRL asks for: "IA32_SPEC_CTRL (0x48) = IBRS|SSBD".
func describe(specCtrl value: UInt64) -> String {
  "\(MSR.specCtrl) (\(MSR.specCtrl.hex)) = \(SpecCtrl(rawValue: value))"
}
