# Starts a machine in Bochs: real kvm_intel or kvm_amd, one processor, and a clock that counts instructions. The emulator is
# Bochs 3 with the lab's edits, or Debian 12's 2.7, which lacks the models of today's processors.
# docs/lab.md has the reason for each line below that is not Bochs' default.

bochs_instructions_per_second=50000000

# choose_bochs: makes the wanted Bochs ready. Sets $bochs to the built program, or to nothing for Debian's, and $bochs_version.
choose_bochs() {
  local folder
  folder=$(bochs_folder)
  bochs='' bochs_version=$(grep -o '^bochs-.*' "$lab_cache/ready")
  [[ $emulator_wanted == built ]] || return 0
  # --setup tries again after a failed build.
  [[ $setup_only == no ]] || rm -f "$folder/failed"
  once is_bochs_decided try_bochs
  if [[ -x $folder/bochs ]]; then
    bochs=$folder/bochs bochs_version=$(<"$folder/version")
  else
    echo "lab: Bochs 3 could not be built ($(<"$folder/failed")); using Debian 12's Bochs 2.7. scripts/lab --setup tries again." >&2
  fi
}

is_bochs_decided() { [[ -x $(bochs_folder)/bochs || -f $(bochs_folder)/failed ]]; }

try_bochs() { build_bochs || true; }

# needs_built_bochs: fails if there is only Debian's.
needs_built_bochs() {
  [[ -n $bochs ]] || fail $exit_unavailable "the host $host needs Bochs 3 with the lab's edits, which scripts/lab --setup builds."
}

# start_bochs MODEL: boots $vmlinuz and $run/initrd; the serial ports write to $run/com1 and $run/com2. A host can set
# bochs_cleared (features that the kernel must not see), bochs_words (more of its command line) and bochs_ignores_msrs.
start_bochs() {
  local iso=$run/iso arguments="$kernel_arguments reboot=t tsc_early_khz=$((bochs_instructions_per_second / 1000))"
  arguments+=" clearcpuid=rdrand,rdseed,erms,fsrm,pku,xsavec,xsaves${bochs_cleared:+,$bochs_cleared}"
  arguments+=${bochs_words:+ $bochs_words}${append:+ $append}

  mkdir "$iso"
  cp "$(debian_file usr/lib/ISOLINUX/isolinux.bin)" "$(debian_file usr/lib/syslinux/modules/bios/ldlinux.c32)" \
    "$iso/"
  cp "$vmlinuz" "$iso/vmlinuz"
  mv "$run/initrd" "$iso/initrd"
  printf 'default lab\nprompt 0\nlabel lab\nkernel vmlinuz\ninitrd initrd\nappend %s\n' "$arguments" >"$iso/isolinux.cfg"
  debian genisoimage -quiet -o "$run/lab.iso" -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 \
    -boot-info-table "$iso"
  rm -rf "$iso"

  cat >"$run/bochsrc" <<TEXT
config_interface: textconfig
cpu: model=$1, count=1, ips=$bochs_instructions_per_second, reset_on_triple_fault=0, ignore_bad_msrs=${bochs_ignores_msrs:-0}, msrs=$run/msrs
memory: guest=$memory, host=$memory
romimage: file=$(debian_file usr/share/bochs/BIOS-bochs-latest)
vgaromimage: file=$(debian_file usr/share/vgabios/vgabios.bin)
ata0-master: type=cdrom, path=$run/lab.iso, status=inserted
ata1: enabled=0
boot: cdrom
com1: enabled=1, mode=file, dev=$run/com1
com2: enabled=1, mode=file, dev=$run/com2
clock: sync=none, time0=946684800
log: $run/emulator.log
info: action=ignore
error: action=ignore
panic: action=fatal
TEXT
  bochs_registers >"$run/msrs"
  : >"$run/com1"
  : >"$run/com2"
  if [[ -n $bochs ]]; then
    echo 'display_library: nogui' >>"$run/bochsrc"
    debian_background "$bochs" -q -f "$run/bochsrc" 2>"$run/terminal.log"
    return
  fi
  printf '%s\n' 'display_library: term' \
    'plugin_ctrl: biosdev=1, extfpuirq=1, unmapped=1, speaker=0, parallel=0, gameport=0, usb_uhci=0' >>"$run/bochsrc"
  echo c >"$run/bochsrc.debugger"
  # The text display needs a terminal, so script(1) makes one; the other display listens on the network.
  local plugins
  plugins=$(debian_file usr/lib/x86_64-linux-gnu/bochs/plugins)
  TERM=vt100 SHELL=/bin/sh LTDL_LIBRARY_PATH=$plugins BXSHARE=$run \
    debian_background script -qec "exec setpriv --pdeathsig KILL bochs-bin -q -f '$run/bochsrc' -rc '$run/bochsrc.debugger'" \
    "$run/terminal.log" 2>"$run/script.log"
}

# bochs_registers: the MSRs that the kernel needs and Bochs lacks. Every other unknown MSR faults, as on hardware. Columns: address, type, value on reset (high and low half), reserved bits, ignored bits.
bochs_registers() {
  local zeros='00000000 00000000 00000000 00000000'
  echo "0x08b 0 00000000 00000000 $zeros" # IA32_BIOS_SIGN_ID: no microcode update
  echo "0x0e7 0 00000000 00000000 $zeros" # IA32_MPERF, read at every timer tick
  echo "0x0e8 0 00000000 00000000 $zeros" # IA32_APERF, the same
  echo "0x1a0 0 00000000 00000001 $zeros" # IA32_MISC_ENABLE: fast strings on; the kernel reads it before it can handle faults
  echo "0x1d9 0 00000000 00000000 $zeros" # IA32_DEBUGCTL, read by KVM at every entry
}
