# Builds the initramfs: the base archive (busybox) and the archive of the kernel's KVM modules, which are made once and are in the
# cache, and for each run an archive with the program, the command and the caller's files and modules. The kernel unpacks them in
# this order, so a later file replaces an earlier one of the same name.

lab_applets=(awk base64 cat cp cut date dd dmesg echo env expr false find free grep gzip head hexdump id insmod kill ln
  ls lsmod mkdir mount mv od poweroff printf ps pwd rm sed seq sh sha256sum sleep sort stat stty sync tail tee test
  time timeout touch tr true uname uniq wc xargs)

# The command line of every machine's kernel. The kernel prints nothing but a panic, ends the machine with it, and is the same at
# every run. It leaves out start-up work that no command needs, and the machine-check MSRs that Bochs lacks. The mitigations are
# the kernel's defaults.
kernel_arguments='console=ttyS0,115200 loglevel=1 oops=panic panic=-1 nokaslr ipv6.disable=1 cryptomgr.notests'
kernel_arguments+=' mce=off initcall_blacklist=load_system_certificate_list,trace_eval_init,tracer_init_tracefs,cubictcp_register'
kernel_arguments+=,init_evm,init_ima,pci_apply_final_quirks,register_warn_debugfs,intel_pstate_init,i8042_init,cmos_init

# with_tracing: keeps the kernel's trace events, whose files take the kernel a while to make.
with_tracing() { kernel_arguments=${kernel_arguments/trace_eval_init,tracer_init_tracefs,/}; }

# archive FOLDER: writes the folder as a cpio archive; the same contents give the same bytes.
archive() (
  cd "$1" || exit
  find . -exec touch -h -d @0 {} +
  find . -mindepth 1 | sort | debian cpio --quiet -o -H newc -R 0:0 --reproducible
)

# build_base OUTPUT: makes OUTPUT/base.cpio.
build_base() {
  local tree=$1/base applet
  mkdir -p "$tree"/{bin,dev,lab,proc,put,sys,tmp,modules}
  cp "$(debian_file bin/busybox)" "$tree/bin/busybox"
  for applet in "${lab_applets[@]}"; do
    ln -s busybox "$tree/bin/$applet"
  done
  archive "$tree" >"$1/base.cpio"
}

# build_binary: the static release build of this checkout.
build_binary() {
  binary=$lab_root/$("$lab_root/scripts/build-static") ||
    fail $exit_unavailable "spectrap does not build; give another program with --binary."
}

# build_image: makes $run/initrd, and the random word with which the lab's own lines on the serial port begin.
build_image() {
  local tree=$run/tree file
  token=lab-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  mkdir -p "$tree"/{bin,lab,put}
  cp "$lab_parts/init" "$tree/init"
  # A program given with --binary may have symbols, which are not needed. A file that is not ELF is copied as it is.
  debian strip -o "$tree/bin/spectrap" "$binary" 2>/dev/null || cp "$binary" "$tree/bin/spectrap"
  chmod 755 "$tree/init" "$tree/bin/spectrap"
  printf '%s\n' "$token" >"$tree/lab/token"
  printf '%s\n' ${gets[@]+"${gets[@]}"} >"$tree/lab/get"
  if [[ -n $script ]]; then cp "$script" "$tree/lab/command"; else quote "${command[@]}" >"$tree/lab/command"; fi
  for file in ${puts[@]+"${puts[@]}"}; do
    cp -L --preserve=mode "$file" "$tree/put/"
  done
  printf '%s\n' ${kvm_parameters[@]+"${kvm_parameters[@]}"} >"$tree/lab/parameters"
  [[ -z $modules ]] || put_modules "$modules" "$tree"
  { cat "$lab_cache/base.cpio" ${module_archive:+"$module_archive"} && archive "$tree"; } >"$run/initrd"
  rm -rf "$tree"
}

# quote WORD ...: prints the words as one line from which sh reads the same words.
quote() {
  local word
  for word in "$@"; do
    printf "'%s' " "${word//\'/\'\\\'\'}"
  done
  echo
}
