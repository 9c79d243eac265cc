# Builds what the machine boots: the base archive (busybox) and the kernel's KVM modules, which are made once and lie in the
# cache, and, per run, an archive with the program, the command and the caller's files and modules. The kernel unpacks one after the
# other; of two files of one name the later stays.

lab_applets=(awk base64 cat cp cut date dd dmesg echo env expr false find free grep gzip head hexdump id insmod kill ln
  ls lsmod mkdir mount mv od poweroff printf ps pwd rm sed seq sh sha256sum sleep sort stat stty sync tail tee test
  time timeout touch tr true uname uniq wc xargs)

# What every machine's kernel is told: to keep silent short of a panic, to end with one, to be the same at every run,
# and to leave out start-up work of drivers and subsystems that no command here uses, and MSRs of machine checks that Bochs
# lacks. Its mitigations are its own.
kernel_arguments='console=ttyS0,115200 loglevel=1 oops=panic panic=-1 nokaslr ipv6.disable=1 cryptomgr.notests'
kernel_arguments+=' mce=off initcall_blacklist=load_system_certificate_list,trace_eval_init,tracer_init_tracefs,cubictcp_register'
kernel_arguments+=,init_evm,init_ima,pci_apply_final_quirks,register_warn_debugfs,intel_pstate_init,i8042_init,cmos_init

# archive FOLDER: the folder as a cpio archive that depends on nothing but its contents.
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
  printf '%s\n' ${kvm_parameters[@]+"${kvm_parameters[@]}"} >"$tree/lab/parameters"
  [[ -z $modules ]] || put_modules "$modules" "$tree"
  { cat "$lab_cache/base.cpio" ${module_archive:+"$module_archive"} && archive "$tree"; } >"$run/initrd"
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
