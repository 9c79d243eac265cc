/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Three ways in which kvm-intel switches IA32_SPEC_CTRL between host and guest: by hand, as upstream does; by VMX's MSR
 * lists; by VMX's mask and shadow ("virtualize IA32_SPEC_CTRL"). kernel/spec-ctrl-modes puts this file into
 * arch/x86/kvm/vmx and calls to it into vmx.c.
 *
 * Facts: Intel SDM vol. 3C, 25.6.2 (tertiary control, bit 7), 26.3 (RDMSR and WRMSR under it), 27.4, 28.4 and 28.6 (the
 * lists), appendix B (the fields 0x204a and 0x204c).
 */
#ifndef __KVM_X86_VMX_SPEC_CTRL_H
#define __KVM_X86_VMX_SPEC_CTRL_H

#include <linux/debugfs.h>
#include <linux/jump_label.h>

#define SPEC_CTRL_VIRTUALIZED	BIT_ULL(7)
#define VMCS_SPEC_CTRL_MASK	0x204a
#define VMCS_SPEC_CTRL_SHADOW	0x204c

/* How SPEC_CTRL is switched: 0 by hand, 1 by the MSR lists, 2 by mask and shadow. */
static int __read_mostly spec_ctrl_mode;
module_param(spec_ctrl_mode, int, 0444);

/* The bits that mode 2 keeps set in every guest; 0 for those that the host has set, and IBRS. */
static unsigned int __read_mostly spec_ctrl_mask;
module_param(spec_ctrl_mask, hexint, 0444);

/* Whether each exit is followed by a reading of the register, which costs an RDMSR (see spec_ctrl_files). */
static bool __read_mostly spec_ctrl_check;
module_param(spec_ctrl_check, bool, 0444);

static DEFINE_STATIC_KEY_FALSE(spec_ctrl_by_lists);
static DEFINE_STATIC_KEY_FALSE(spec_ctrl_shadowed);
static DEFINE_STATIC_KEY_FALSE(spec_ctrl_checked);

/* What is seen of the register: counts without a lock, exact as long as one CPU runs guests. */
static u64 spec_ctrl_exits, spec_ctrl_wrong, spec_ctrl_left;
static struct dentry *spec_ctrl_files;

/* ---- Lists. The entries of SPEC_CTRL are the first of each list and stay there. ---- */

/* Before an entry, interrupts off: the assembly finds nothing to write, for the lists do it. */
static __always_inline void spec_ctrl_before_entry(struct vcpu_vmx *vmx)
{
	u64 host;

	if (!static_branch_unlikely(&spec_ctrl_by_lists))
		return;
	host = this_cpu_read(x86_spec_ctrl_current);
	vmx->msr_autoload.guest.val[0].value = vmx->spec_ctrl;
	vmx->msr_autoload.host.val[0].value = host;
	/* An entry that fails stores nothing: then this is still the guest's value. */
	SPEC_CTRL_STORED(vmx).val[0].value = vmx->spec_ctrl;
	vmx->spec_ctrl = host;
}

/* Whether the lists keep the guest's value, so that no RDMSR has to. */
static __always_inline bool spec_ctrl_is_listed(void)
{
	return static_branch_unlikely(&spec_ctrl_by_lists);
}

#if SPEC_CTRL_BACK_IN_C
/* Right after an exit, in noinstr code: whether the lists have put the host's value back. The barrier is upstream's. */
static __always_inline bool spec_ctrl_is_back(void)
{
	if (!static_branch_unlikely(&spec_ctrl_by_lists))
		return false;
	barrier_nospec();
	return true;
}
#endif

/* After that, interrupts still off. */
static __always_inline void spec_ctrl_after_exit(struct vcpu_vmx *vmx)
{
	if (static_branch_unlikely(&spec_ctrl_by_lists))
		vmx->spec_ctrl = SPEC_CTRL_STORED(vmx).val[0].value;
	if (static_branch_unlikely(&spec_ctrl_checked)) {
		spec_ctrl_exits++;
		if (__rdmsr(MSR_IA32_SPEC_CTRL) != this_cpu_read(x86_spec_ctrl_current))
			spec_ctrl_wrong++;
	}
}

/* ---- Mask and shadow. vmx->spec_ctrl is the register, the shadow what the guest reads. ---- */

/* What the guest, and KVM_GET_MSRS, read. */
static u64 spec_ctrl_read(struct vcpu_vmx *vmx)
{
	return static_branch_unlikely(&spec_ctrl_shadowed) ? vmcs_read64(VMCS_SPEC_CTRL_SHADOW) : vmx->spec_ctrl;
}

/* The register's value after a write by KVM_SET_MSRS, or by a guest whose write was intercepted. */
static u64 spec_ctrl_written(struct vcpu_vmx *vmx, u64 value)
{
	if (!static_branch_unlikely(&spec_ctrl_shadowed))
		return value;
	vmcs_write64(VMCS_SPEC_CTRL_SHADOW, value);
	return value | spec_ctrl_mask;
}

/*
 * Whether a guest's accesses need no exit: under the mask those of each guest that has the register; else, as upstream,
 * once it has written a value other than 0. An MSR filter still intercepts.
 */
static bool spec_ctrl_passes(struct kvm_vcpu *vcpu)
{
	if (static_branch_unlikely(&spec_ctrl_shadowed))
		return guest_has_spec_ctrl_msr(vcpu);
	return to_vmx(vcpu)->spec_ctrl;
}

/* The tertiary controls of a vCPU. */
static u64 spec_ctrl_controls(u64 controls)
{
	return static_branch_unlikely(&spec_ctrl_shadowed) ? controls : controls & ~SPEC_CTRL_VIRTUALIZED;
}

/* ---- A vCPU, and the module ---- */

/* A new VMCS, current, its lists empty. */
static void spec_ctrl_init_vmcs(struct vcpu_vmx *vmx)
{
	if (static_branch_unlikely(&spec_ctrl_shadowed))
		vmcs_write64(VMCS_SPEC_CTRL_MASK, spec_ctrl_mask);
	if (!static_branch_unlikely(&spec_ctrl_by_lists))
		return;
	vmx->msr_autoload.guest.val[0].index = MSR_IA32_SPEC_CTRL;
	vmx->msr_autoload.host.val[0].index = MSR_IA32_SPEC_CTRL;
	SPEC_CTRL_STORED(vmx).val[0].index = MSR_IA32_SPEC_CTRL;
	vmx->msr_autoload.guest.nr = vmx->msr_autoload.host.nr = SPEC_CTRL_STORED(vmx).nr = 1;
	vmcs_write32(VM_ENTRY_MSR_LOAD_COUNT, 1);
	vmcs_write32(VM_EXIT_MSR_LOAD_COUNT, 1);
	vmcs_write64(VM_EXIT_MSR_STORE_ADDR, __pa(SPEC_CTRL_STORED(vmx).val));
	vmcs_write32(VM_EXIT_MSR_STORE_COUNT, 1);
}

/* The register as the last vCPU that is gone left it. */
static void spec_ctrl_free(struct vcpu_vmx *vmx)
{
	WRITE_ONCE(spec_ctrl_left, vmx->spec_ctrl);
}

static __init int spec_ctrl_setup(bool *nested)
{
	u64 host;

	if (spec_ctrl_mode < 0 || spec_ctrl_mode > 2) {
		pr_err("kvm_intel: spec_ctrl_mode is 0 (by hand), 1 (MSR lists) or 2 (mask and shadow)\n");
		return -EINVAL;
	}
	if (spec_ctrl_check || spec_ctrl_mode) {
		if (!boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL)) {
			pr_err("kvm_intel: spec_ctrl_mode %d: this processor has no IA32_SPEC_CTRL\n", spec_ctrl_mode);
			return -EOPNOTSUPP;
		}
		spec_ctrl_files = debugfs_create_dir("kvm_spec_ctrl", NULL);
		debugfs_create_u64("exits", 0444, spec_ctrl_files, &spec_ctrl_exits);
		debugfs_create_u64("wrong", 0444, spec_ctrl_files, &spec_ctrl_wrong);
		debugfs_create_x64("left", 0444, spec_ctrl_files, &spec_ctrl_left);
	}
	if (spec_ctrl_mode == 1 && !SPEC_CTRL_BACK_IN_C && boot_cpu_has(X86_FEATURE_KERNEL_IBRS)) {
		pr_err("kvm_intel: spec_ctrl_mode 1: this kernel writes IBRS by hand at each exit, lists or not\n");
		goto refused;
	}
	if (spec_ctrl_check)
		static_branch_enable(&spec_ctrl_checked);
	if (spec_ctrl_mode == 1)
		static_branch_enable(&spec_ctrl_by_lists);
	if (spec_ctrl_mode == 2) {
		if (!(vmcs_config.cpu_based_3rd_exec_ctrl & SPEC_CTRL_VIRTUALIZED)) {
			pr_err("kvm_intel: spec_ctrl_mode 2: this processor does not virtualize IA32_SPEC_CTRL\n");
			goto refused;
		}
		SPEC_CTRL_RDMSR(MSR_IA32_SPEC_CTRL, host);
		if (!spec_ctrl_mask)
			spec_ctrl_mask = (host & ~(SPEC_CTRL_STIBP | SPEC_CTRL_SSBD)) | SPEC_CTRL_IBRS;
		if (kvm_spec_ctrl_test_value(spec_ctrl_mask)) {
			pr_err("kvm_intel: spec_ctrl_mask %#x: this processor refuses that value\n", spec_ctrl_mask);
			goto refused;
		}
		static_branch_enable(&spec_ctrl_shadowed);
	}
	if (spec_ctrl_mode && *nested) {
		pr_info("kvm_intel: spec_ctrl_mode %d: no nested guests\n", spec_ctrl_mode);
		*nested = false;
	}
	return 0;

refused:
	debugfs_remove_recursive(spec_ctrl_files);
	return -EOPNOTSUPP;
}

static void spec_ctrl_unsetup(void)
{
	debugfs_remove_recursive(spec_ctrl_files);
}

#endif
