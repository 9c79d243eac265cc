# The modules of intel-list and intel-shadow, whose KVM switches SPEC_CTRL by VMX's lists, or by its mask and shadow. kvm-intel.ko is
# built once with the edit in kernel/; a change of the edit or of scripts/lab-module builds it anew.

# choose_edited_modules: sets $modules to a folder with such modules for $kernel_wanted, unless the caller gave one with --modules.
choose_edited_modules() {
  local sum edited lock
  [[ -z $modules ]] || return 0
  choose_kernel
  [[ -n $module_archive ]] ||
    fail $exit_usage "the host $host needs kvm-intel.ko with the edit in kernel/; build it in your kernel's tree and give it with --modules."
  sum=$(cd "$lab_root" && cat kernel/spec-ctrl-modes kernel/spec_ctrl.h scripts/lab-module | sha256sum)
  edited=$lab_cache/edited/$(<"$lab_cache/kernels/$kernel_wanted/package")-${sum:0:12}
  if [[ ! -d $edited ]]; then
    mkdir -p "$lab_cache/edited"
    # A lock of its own: lab-module takes the cache's lock when it fetches.
    exec {lock}>"$lab_cache/edited/lock"
    flock "$lock"
    [[ -d $edited ]] || build_edited_modules "$edited"
    exec {lock}>&-
  fi
  modules=$edited
}

# build_edited_modules FOLDER
build_edited_modules() {
  local status=0
  rm -rf "$1.building"
  echo "lab: building kvm-intel.ko with the edit in kernel/ (once, about a minute)" >&2
  "$lab_root/scripts/lab-module" --kernel "$kernel_wanted" --edit "$lab_root/kernel/spec-ctrl-modes" --output "$1.building" >&2 ||
    status=$?
  ((status == 0)) || fail "$status" "kvm-intel.ko with the edit in kernel/ could not be built for Linux $kernel_release."
  mv "$1.building" "$1"
}
