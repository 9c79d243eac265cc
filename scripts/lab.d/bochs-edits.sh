# What the lab changes in the source of Bochs 3. Each edit is put at a line of that source which must be there exactly once:
# another version of Bochs, in which it is not, is not built.
# Facts: Intel SDM vol. 3C, 26.3 (RDMSR and WRMSR under "virtualize IA32_SPEC_CTRL"), vol. 2A, CPUID leaf 7; AMD APM vol. 3,
# appendix E, leaf 8000_0008.

# What only an edited Bochs can say; it says it where a guest's write reaches the shadow.
bochs_edit_sign='reserved bits of the IA32_SPEC_CTRL shadow'

# edit_bochs TREE: status 1, and a sentence on stderr, where an edit does not fit.
edit_bochs() {
  local msr=$1/cpu/msr.cc ryzen=$1/cpu/cpudb/amd/ryzen.cc

  # A guest's WRMSR under the mask puts the value into the shadow, which its RDMSR reads. Bochs leaves the shadow alone.
  edit_line "$msr" 'val_64 & ~vm->ia32_spec_ctrl_mask)' instead "{
        if (! isValidMSR_IA32_SPEC_CTRL(val_64)) {
          BX_ERROR((\"WRMSR: attempt to set $bochs_edit_sign\"));
          return false;
        }
        vm->ia32_spec_ctrl_shadow = val_64;
        val_64 = BX_CPU_THIS_PTR msr.ia32_spec_ctrl ^
          ((BX_CPU_THIS_PTR msr.ia32_spec_ctrl ^ val_64) & ~vm->ia32_spec_ctrl_mask);
      }" || return

  # A posted-interrupt descriptor is aligned to 64 bytes (SDM vol. 3C, 27.2.1.1). Bochs wants a page of its own for it, so that no
  # guest with KVM's local APIC is entered.
  edit_line "$1/cpu/vmx.cc" 'if (! IsValidPageAlignedPhyAddr(vm->pid_addr)) {' instead \
    '      if ((vm->pid_addr & 0x3f) != 0 || ! IsValidPhyAddr(vm->pid_addr)) {' || return

  # The bits of IA32_SPEC_CTRL that fault are those that CPUID does not offer. Bochs takes 0x5ff on every model.
  edit_line "$msr" 'bool isValidMSR_IA32_SPEC_CTRL(Bit64u val_64)' before 'static Bit64u offered_IA32_SPEC_CTRL()
{
  cpuid_function_t leaf;
  Bit64u bits = 0;

  BX_CPU(0)->cpuid->get_cpuid_leaf(7, 0, &leaf);
  Bit32u subleaves = leaf.eax;
  if (leaf.edx & (1u << 26)) bits |= 0x3;    // IBRS, and STIBP with it
  if (leaf.edx & (1u << 27)) bits |= 0x2;    // STIBP
  if (leaf.edx & (1u << 31)) bits |= 0x4;    // SSBD
  if (subleaves >= 2) {
    BX_CPU(0)->cpuid->get_cpuid_leaf(7, 2, &leaf);
    if (leaf.edx & (1u << 0)) bits |= 0x80;  // PSFD
    if (leaf.edx & (1u << 1)) bits |= 0x18;  // IPRED_DIS_U and IPRED_DIS_S
    if (leaf.edx & (1u << 2)) bits |= 0x60;  // RRSBA_DIS_U and RRSBA_DIS_S
    if (leaf.edx & (1u << 3)) bits |= 0x100; // DDPD_U
    if (leaf.edx & (1u << 4)) bits |= 0x400; // BHI_DIS_S
  }
  BX_CPU(0)->cpuid->get_cpuid_leaf(0, 0, &leaf);
  if (leaf.edx == 0x69746e65) {              // "enti" of AuthenticAMD
    BX_CPU(0)->cpuid->get_cpuid_leaf(0x80000008, 0, &leaf);
    if (leaf.ebx & (1u << 14)) bits |= 0x3;  // IBRS, and STIBP with it
    if (leaf.ebx & (1u << 15)) bits |= 0x2;  // STIBP
    if (leaf.ebx & (1u << 24)) bits |= 0x4;  // SSBD
    if (leaf.ebx & (1u << 28)) bits |= 0x80; // PSFD
  }
  return bits;
}
' || return
  edit_line "$msr" 'val_64 & ~(BX_CONST64(0x5FF))' instead '  static const Bit64u offered = offered_IA32_SPEC_CTRL();
  if (val_64 & ~offered)' || return

  # The Ryzen gets IBPB, IBRS, STIBP and SSBD, in IA32_SPEC_CTRL and IA32_PRED_CMD.
  edit_line "$ryzen" 'enable_cpu_extension(BX_ISA_CLZERO);' after '  enable_cpu_extension(BX_ISA_SCA_MITIGATIONS);' || return
  edit_line "$ryzen" 'bx_cpuid_t::get_ext_cpuid_leaf_8(leaf);' after \
    '  leaf->ebx |= (1u << 12) | (1u << 14) | (1u << 15) | (1u << 24); // IBPB, IBRS, STIBP, SSBD'
}

# edit_line FILE FRAGMENT before|after|instead TEXT: puts TEXT at the one line that holds FRAGMENT.
edit_line() {
  local file=$1 fragment=$2 where=$3
  if [[ $(grep -cF -e "$fragment" "$file") != 1 ]]; then
    echo "$file has no single line with \"$fragment\"" >&2
    return 1
  fi
  # Through the environment: awk -v would read backslashes.
  fragment=$fragment where=$where text=$4 awk '
    {
      found = index($0, ENVIRON["fragment"])
      if (found && ENVIRON["where"] != "after") print ENVIRON["text"]
      if (!found || ENVIRON["where"] != "instead") print
      if (found && ENVIRON["where"] == "after") print ENVIRON["text"]
    }' "$file" >"$file.edited" && mv "$file.edited" "$file"
}
