# Chooses the kernel and the KVM modules of a machine: Debian 12's, one of Debian's by its version, or the user's own. Each kernel of
# Debian's is fetched once; the cache has it as kernels/VERSION with vmlinuz, modules.cpio and package, the package's name.

kvm_modules=(irqbypass kvm kvm-intel kvm-amd)

# choose_kernel: sets $vmlinuz from $kernel_wanted, and $module_archive to the modules that came with it, if any. Fetches missing
# packages, and checks the user's own files.
choose_kernel() {
  module_archive=''
  if [[ $kernel_wanted =~ ^[0-9]+\.[0-9]+([.+-][0-9A-Za-z.+-]*)?$ && ! -e $kernel_wanted ]]; then
    once is_kernel_there fetch_kernel
    vmlinuz=$lab_cache/kernels/$kernel_wanted/vmlinuz module_archive=$lab_cache/kernels/$kernel_wanted/modules.cpio
  else
    [[ -f $kernel_wanted && -r $kernel_wanted ]] ||
      fail $exit_usage "--kernel \"$kernel_wanted\" is neither a version, such as 6.12, nor a file that can be read."
    vmlinuz=$kernel_wanted
  fi
  kernel_release=$(release_of "$vmlinuz") || fail $exit_data "$vmlinuz is not a bzImage of Linux; give arch/x86/boot/bzImage of your tree."
  [[ -z $modules ]] || check_modules
}

is_kernel_there() { [[ -f $lab_cache/kernels/$kernel_wanted/package ]]; }

# release_of BZIMAGE: prints what uname -r says on this kernel. Facts: Linux Documentation/arch/x86/boot.rst, fields header and kernel_version.
release_of() {
  local offset
  [[ $(dd if="$1" bs=1 skip=514 count=4 status=none | tr -d '\0') == HdrS ]] || return
  offset=$(od -An -tu2 -j 526 -N 2 "$1")
  dd if="$1" bs=1 skip=$((offset + 512)) count=128 status=none | tr '\0' '\n' | awk 'NR == 1 {print $1}'
}

# check_modules: fails if --modules has no modules, or modules for another kernel.
check_modules() {
  local module file magic found=no
  for module in "${kvm_modules[@]}"; do
    file=$(module_file "$modules" "$module")
    [[ -n $file ]] || continue
    found=yes
    magic=$(plain_module "$file" | tr '\0' '\n' | sed -n 's/^.*vermagic=\([^ ]*\).*$/\1/p' | head -n 1)
    [[ -n $magic ]] || fail $exit_data "$file is not a module of Linux."
    [[ $magic == "$kernel_release" ]] ||
      fail $exit_data "$file is a module for Linux $magic, and the kernel is $kernel_release; build it for this kernel, or give its own with --kernel."
  done
  [[ $found == yes ]] || fail $exit_usage "$modules has none of ${kvm_modules[*]/%/.ko} (or .ko.xz)."
}

# module_file FOLDER MODULE: prints the path of the module below FOLDER, compressed or not.
module_file() {
  find -L "$1" \( -name "$2.ko" -o -name "$2.ko.xz" -o -name "${2//-/_}.ko" -o -name "${2//-/_}.ko.xz" \) -type f | sort | head -n 1
}

# plain_module FILE: prints the module without compression.
plain_module() {
  if [[ $1 == *.xz ]]; then debian xz -dc "$1"; else cat "$1"; fi
}

# put_modules FOLDER TREE: copies the KVM modules below FOLDER to TREE/modules, without symbols, type information and unwind tables.
# They load in less than half the time then; their code is the same. The backtrace of an oops in them is less certain.
put_modules() {
  local module file
  mkdir -p "$2/modules"
  for module in "${kvm_modules[@]}"; do
    file=$(module_file "$1" "$module")
    [[ -n $file ]] || continue
    plain_module "$file" >"$2/modules/$module.ko"
    debian objcopy --strip-unneeded -R .BTF -R .orc_unwind -R .orc_unwind_ip -R .rela.orc_unwind_ip "$2/modules/$module.ko"
  done
}

# keep_kernel UNPACKED VERSION PACKAGE WORK: makes kernels/VERSION in the cache from a kernel's unpacked packages.
keep_kernel() {
  local made=$4/made images
  mkdir -p "$made/tree" "$lab_cache/kernels"
  put_modules "$1" "$made/tree"
  [[ -f $made/tree/modules/kvm.ko ]] || fail $exit_unavailable "the package $3 has no module kvm."
  archive "$made/tree" >"$made/modules.cpio"
  rm -rf "$made/tree"
  images=("$1"/boot/vmlinuz-* "$1"/usr/lib/linux/*/vmlinuz* "$1"/usr/lib/modules/*/vmlinuz)
  local image
  for image in "${images[@]}"; do
    [[ ! -f $image ]] || { cp "$image" "$made/vmlinuz" && break; }
  done
  [[ -f $made/vmlinuz ]] || fail $exit_unavailable "the package $3 has no kernel image."
  echo "$3" >"$made/package"
  rm -rf "$lab_cache/kernels/$2"
  mv "$made" "$lab_cache/kernels/$2"
}

# fetch_kernel: fetches the newest kernel of $kernel_wanted whose modules Debian 12, 13 or their backports have too.
fetch_kernel() {
  local work=$lab_cache/fetching name release image packages=''
  rm -rf "$work"
  mkdir -p "$work/kernel"
  echo "lab: fetching a kernel $kernel_wanted from Debian (once)" >&2
  other_suites "$work/apt" bookworm bookworm-backports trixie trixie-backports ||
    fail $exit_unavailable "apt could not fetch the lists of Debian 13 and the backports ($(tail -n 1 "$work/apt/log")); is there a network?"
  other_apt "$work/apt" apt-cache pkgnames linux- >"$work/names"
  # A kernel is one package; from 6.19 on it is two, linux-binary-RELEASE and linux-modules-RELEASE. Some releases lack the second.
  while read -r image; do
    release=${image#linux-image-}
    if ! grep -qx "linux-binary-$release" "$work/names"; then
      packages=$image
    elif grep -qx "linux-modules-$release" "$work/names"; then
      packages="linux-binary-$release linux-modules-$release"
    else
      continue
    fi
    # shellcheck disable=SC2086 # one word per package
    if (cd "$work" && other_apt "$work/apt" apt-get -q download $packages) >"$work/log" 2>&1; then break; fi
    packages=''
  done < <(grep -E "^linux-image-${kernel_wanted//[.+]/[.+]}([.+-].*)?-cloud-amd64$|^linux-image-${kernel_wanted//[.+]/[.+]}$" \
    "$work/names" | sort -Vr)
  [[ -n $packages ]] || fail $exit_unavailable "$(no_kernel "$work")"
  for name in "$work"/*.deb; do
    dpkg-deb -x "$name" "$work/kernel" || fail $exit_unavailable "${name##*/} cannot be unpacked; is there space in $lab_cache?"
  done
  keep_kernel "$work/kernel" "$kernel_wanted" "$image" "$work"
  rm -rf "$work"
}

# no_kernel WORK: prints why there is no such kernel, and which there are.
no_kernel() {
  local known
  [[ ! -s $1/log ]] || { echo "apt could not download a kernel $kernel_wanted ($(tail -n 1 "$1/log"))." && return; }
  known=$(awk '
    { has[$0] = 1 }
    END {
      for (name in has) if (name ~ /^linux-image-[0-9.]+.*-cloud-amd64$/) {
        release = substr(name, 13)
        if ((!("linux-binary-" release in has) || "linux-modules-" release in has) && match(release, /^[0-9]+[.][0-9]+/))
          print substr(release, 1, RLENGTH)
      }
    }' "$1/names" | sort -Vu | tr '\n' ' ')
  echo "Debian has no cloud kernel $kernel_wanted with its modules; it has kernels of ${known% }."
}
