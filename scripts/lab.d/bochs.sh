# Starts a machine in Bochs: real kvm_intel, one processor, and a clock that counts instructions.
# Each line below that is not Bochs' default has its reason in docs/lab.md.

bochs_instructions_per_second=50000000

# start_bochs MODEL [FEATURE]: boots $run/initrd, whose kernel does not see FEATURE; the serial lines go to $run/com1 and
# $run/com2.
start_bochs() {
  local iso=$run/iso arguments="$kernel_arguments reboot=t tsc_early_khz=$((bochs_instructions_per_second / 1000))"
  arguments+=" clearcpuid=rdrand,rdseed,erms,fsrm,pku,xsavec,xsaves${2:+,$2}"

  mkdir "$iso"
  cp "$(debian_file usr/lib/ISOLINUX/isolinux.bin)" "$(debian_file usr/lib/syslinux/modules/bios/ldlinux.c32)" \
    "$lab_cache/vmlinuz" "$iso/"
  mv "$run/initrd" "$iso/initrd"
  printf 'default lab\nprompt 0\nlabel lab\nkernel vmlinuz\ninitrd initrd\nappend %s\n' "$arguments" >"$iso/isolinux.cfg"
  debian genisoimage -quiet -o "$run/lab.iso" -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 \
    -boot-info-table "$iso"
  rm -rf "$iso"

  cat >"$run/bochsrc" <<TEXT
config_interface: textconfig
display_library: term
cpu: model=$1, count=1, ips=$bochs_instructions_per_second, reset_on_triple_fault=0, ignore_bad_msrs=0, msrs=$run/msrs
memory: guest=$memory, host=$memory
romimage: file=$(debian_file usr/share/bochs/BIOS-bochs-latest)
vgaromimage: file=$(debian_file usr/share/vgabios/vgabios.bin)
plugin_ctrl: biosdev=1, extfpuirq=1, unmapped=1, speaker=0, parallel=0, gameport=0, usb_uhci=0
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
  echo c >"$run/bochsrc.debugger"
  bochs_registers >"$run/msrs"
  : >"$run/com1"
  : >"$run/com2"
  # The text display wants a terminal, so script(1) makes one; the other display would listen on the network.
  local plugins
  plugins=$(debian_file usr/lib/x86_64-linux-gnu/bochs/plugins)
  TERM=vt100 SHELL=/bin/sh LTDL_LIBRARY_PATH=$plugins BXSHARE=$run \
    debian_background script -qec "exec setpriv --pdeathsig KILL bochs-bin -q -f '$run/bochsrc' -rc '$run/bochsrc.debugger'" \
    "$run/terminal.log" 2>"$run/script.log"
}

# bochs_registers: the MSRs that the kernel takes for granted and Bochs lacks. Every other unknown one faults, as on
# hardware. Columns: address, type, value on reset (high and low half), reserved bits, ignored bits.
bochs_registers() {
  local zeros='00000000 00000000 00000000 00000000'
  echo "0x08b 0 00000000 00000000 $zeros" # IA32_BIOS_SIGN_ID: no microcode update
  echo "0x0e7 0 00000000 00000000 $zeros" # IA32_MPERF, read at every timer tick
  echo "0x0e8 0 00000000 00000000 $zeros" # IA32_APERF, likewise
  echo "0x1a0 0 00000000 00000001 $zeros" # IA32_MISC_ENABLE: fast strings are on; read before faults can be handled
  echo "0x1d9 0 00000000 00000000 $zeros" # IA32_DEBUGCTL, read by KVM at every entry
}
