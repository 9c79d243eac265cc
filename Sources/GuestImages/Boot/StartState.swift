// The state in which a guest's vCPU starts, as a boot loader would leave it.
// Facts: Intel SDM vol. 3A, 2.5 (control registers), 9.8.5 (entering 64-bit mode).

/// Where and in which mode a guest starts.
public enum StartState: Equatable, Sendable {
  /// Real mode, CS and all other segments 0.
  case real(ip: UInt16, sp: UInt16)
  /// 64-bit mode in ring 0, with the tables of `Layout` loaded.
  case long(rip: UInt64, rsp: UInt64)

  /// Where every kernel starts in 64-bit mode.
  public static let kernel = StartState.long(rip: Layout.kernelText, rsp: Layout.kernelStackTop)

  /// CR0 in 64-bit mode: PE, MP, ET, NE, WP, AM, PG.
  public static let cr0: UInt64 = 0x8005_0033
  /// CR4 in 64-bit mode: PAE, OSFXSR, OSXMMEXCPT.
  public static let cr4: UInt64 = 0x620
  /// IA32_EFER in 64-bit mode: SCE, LME, LMA, NXE.
  public static let efer: UInt64 = 0xd01
  /// CR3: the address of the first table.
  public static let cr3 = Layout.pml4
  public static let gdt = (base: Layout.gdt, limit: DescriptorTables.gdtLimit)
  public static let idt = (base: Layout.idt, limit: DescriptorTables.idtLimit)
  public static let tss = (base: Layout.tss, limit: DescriptorTables.tssLimit)
}
