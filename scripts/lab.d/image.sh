# Builds what the machine boots: the base archive (busybox and the KVM modules, once, in the cache) and, per run, an
# archive with the program, the command and the caller's files behind it. The kernel unpacks one after the other.

lab_applets=(awk base64 cat cp cut date dd dmesg echo env expr false find free grep gzip head hexdump id insmod kill ln
  ls lsmod mkdir mount mv od poweroff printf ps pwd rm sed seq sh sha256sum sleep sort stat stty sync tail tee test
  time timeout touch tr true uname uniq wc xargs)

# What every machine's kernel is told: to keep silent short of a panic, to end with one, to be the same at every run,
# and to leave out start-up work of drivers and subsystems that no command here uses. Its mitigations are Debian's.
kernel_arguments='console=ttyS0,115200 loglevel=1 oops=panic panic=-1 nokaslr ipv6.disable=1 cryptomgr.notests'
kernel_arguments+=' initcall_blacklist=load_system_certificate_list,trace_eval_init,tracer_init_tracefs,cubictcp_register'
kernel_arguments+=,init_evm,init_ima,pci_apply_final_quirks,register_warn_debugfs,intel_pstate_init,i8042_init,cmos_init

# archive FOLDER: the folder as a cpio archive that depends on nothing but its contents.
archive() (
  cd "$1" || exit
  find . -exec touch -h -d @0 {} +
  find . -mindepth 1 | sort | debian cpio --quiet -o -H newc -R 0:0 --reproducible
)

# build_base KERNEL_TREE OUTPUT: makes OUTPUT/vmlinuz and OUTPUT/base.cpio.
build_base() {
  local tree=$2/base module applet
  mkdir -p "$tree"/{bin,dev,lab,proc,put,sys,tmp,modules}
  cp "$(debian_file bin/busybox)" "$tree/bin/busybox"
  for applet in "${lab_applets[@]}"; do
    ln -s busybox "$tree/bin/$applet"
  done
  # Without symbols, type information and unwind tables the modules load in less than half the time; their code is
  # untouched, and an oops in them only shows a less certain backtrace.
  for module in irqbypass kvm kvm-intel kvm-amd; do
    debian objcopy --strip-unneeded -R .BTF -R .BTF_ids -R .orc_unwind -R .orc_unwind_ip -R .rela.orc_unwind_ip \
      "$(find "$1/lib/modules" -name "$module.ko")" "$tree/modules/$module.ko"
  done
  cp "$1"/boot/vmlinuz-* "$2/vmlinuz"
  archive "$tree" >"$2/base.cpio"
}

# build_binary: the static release build of this checkout.
build_binary() {
  binary=$lab_root/$("$lab_root/scripts/build-static") ||
    fail $exit_unavailable "spectrap does not build; give another program with --binary."
}

# build_image: makes $run/initrd, and the random word that marks the lab's own lines on the serial port.
build_image() {
  local tree=$run/tree file
  token=lab-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  mkdir -p "$tree"/{bin,lab,put}
  cp "$lab_parts/init" "$tree/init"
  # Without symbols, for a program given with --binary may have some; what is no ELF file goes in as it is.
  debian strip -o "$tree/bin/spectrap" "$binary" 2>/dev/null || cp "$binary" "$tree/bin/spectrap"
  chmod 755 "$tree/init" "$tree/bin/spectrap"
  printf '%s\n' "$token" >"$tree/lab/token"
  printf '%s\n' ${gets[@]+"${gets[@]}"} >"$tree/lab/get"
  if [[ -n $script ]]; then cp "$script" "$tree/lab/command"; else quote "${command[@]}" >"$tree/lab/command"; fi
  for file in ${puts[@]+"${puts[@]}"}; do
    cp -L --preserve=mode "$file" "$tree/put/"
  done
  { cat "$lab_cache/base.cpio" && archive "$tree"; } >"$run/initrd"
  rm -rf "$tree"
}

# quote WORD ...: the words as one line that sh reads back as they are.
quote() {
  local word
  for word in "$@"; do
    printf "'%s' " "${word//\'/\'\\\'\'}"
  done
  echo
}
