# Starts a machine in QEMU's software emulator: real kvm_amd, one processor, and a clock that counts instructions.
# docs/lab.md has the reason for each flag that is not QEMU's default.

# start_qemu: boots $run/initrd; the serial ports write to $run/com1 and $run/com2.
start_qemu() {
  : >"$run/com1"
  : >"$run/com2"
  debian_background qemu-system-x86_64 -accel tcg -icount shift=0,sleep=off -seed 1 -rtc base=2000-01-01,clock=vm \
    -cpu EPYC-Milan,+svm,+npt -m 512 -no-reboot -nodefaults -display none \
    -serial "file:$run/com1" -serial "file:$run/com2" \
    -L "$(debian_file usr/share/seabios)" -L "$(debian_file usr/share/qemu)" \
    -kernel "$vmlinuz" -initrd "$run/initrd" \
    -append "$kernel_arguments noapictimer tsc_early_khz=1000000 clearcpuid=rdrand,rdseed${append:+ $append}" 2>"$run/emulator.log"
}
