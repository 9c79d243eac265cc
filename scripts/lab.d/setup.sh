# Fetches the kernel, the emulators and the tools from Debian 12 into a cache outside the tree, and finds them there.
# Nothing is installed: apt downloads the packages that the system lacks, and they are unpacked, so no root is needed.

lab_layout=2 # raise when what lies in the cache changes
lab_cache=${XDG_CACHE_HOME:-$HOME/.cache}/spectrap/lab/$lab_layout
lab_packages=(bochs bochs-term bochsbios vgabios isolinux syslinux-common genisoimage busybox-static cpio binutils
  xz-utils qemu-system-x86)
lab_programs=(bochs-bin qemu-system-x86_64 genisoimage cpio objcopy strip xz script setpriv flock)
lab_kernel=6.1 # Debian 12's

# set_up: fills the cache once.
set_up() {
  once is_set_up fill_cache
  is_set_up || fail $exit_unavailable "the cache in $lab_cache is incomplete; remove that folder and try again."
}

# once CHECK FILL: runs FILL unless CHECK holds. If two labs start together, one runs FILL and the other waits.
once() {
  use_cache
  "$1" && return
  mkdir -p "$lab_cache" || fail $exit_unavailable "cannot create the cache folder $lab_cache."
  local lock
  exec {lock}>"$lab_cache/lock"
  flock "$lock"
  use_cache
  "$1" || ("$2") || exit
  exec {lock}>&-
  use_cache
}

is_set_up() {
  [[ -f $lab_cache/ready && -f $lab_cache/kernels/$lab_kernel/package ]] || return
  local program
  for program in "${lab_programs[@]}"; do
    command -v "$program" >/dev/null || return
  done
  [[ -f $(debian_file usr/share/bochs/BIOS-bochs-latest) ]]
}

# use_cache: puts the programs in the cache on PATH, and sets where they find their libraries and plugins.
use_cache() {
  local tree=$lab_cache/debian libraries
  [[ -d $tree ]] || return 0
  [[ $PATH == "$tree/usr/bin:"* ]] || export PATH=$tree/usr/bin:$tree/bin:$PATH
  # Not exported: only programs in the cache need it, and swift would get it too.
  libraries=$tree/usr/lib/x86_64-linux-gnu:$tree/lib/x86_64-linux-gnu
  lab_environment=("LD_LIBRARY_PATH=$libraries:$libraries/pulseaudio")
}
lab_environment=()

# debian NAME ...: runs a program of Debian's, from the system or from the cache.
debian() {
  env ${lab_environment[@]+"${lab_environment[@]}"} "$@"
}

# debian_file PATH: where a file of a Debian package is, in the cache or in the system.
debian_file() {
  if [[ -e $lab_cache/debian/$1 ]]; then echo "$lab_cache/debian/$1"; else echo "/$1"; fi
}

fill_cache() {
  local work=$lab_cache/filling kernel missing
  check_debian
  rm -rf "$work"
  mkdir -p "$work/packages" "$work/debian" "$work/kernel"
  echo "lab: fetching the kernel and the emulators into $lab_cache (once)" >&2

  kernel=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image-[0-9]/ {print $2; exit}')
  [[ -n $kernel ]] || fail $exit_unavailable "apt knows no package linux-image-cloud-amd64; run apt-get update as root."
  # apt shows the old version of an installed package in brackets; the system's copy is good enough.
  missing=$(apt-get install --simulate --no-install-recommends "${lab_packages[@]}" 2>"$work/apt.log" |
    awk '$1 == "Inst" && $3 !~ /^\[/ {print $2}') ||
    fail $exit_unavailable "apt cannot provide the packages ($(tail -n 1 "$work/apt.log")); run apt-get update as root."
  # shellcheck disable=SC2086 # one word per package
  (cd "$work/packages" && apt-get -qq -o APT::Sandbox::User=root download "$kernel" $missing) >"$work/apt.log" 2>&1 ||
    fail $exit_unavailable "apt could not download from Debian ($(tail -n 1 "$work/apt.log")); is there a network?"

  local package
  for package in "$work"/packages/*.deb; do
    case ${package##*/} in
      linux-image-*) dpkg-deb -x "$package" "$work/kernel" ;;
      *) dpkg-deb -x "$package" "$work/debian" ;;
    esac || fail $exit_unavailable "${package##*/} cannot be unpacked; is there space in $lab_cache?"
  done
  rm -rf "$lab_cache/debian" "$lab_cache/ready"
  mv "$work/debian" "$lab_cache/debian"
  use_cache
  build_base "$work"
  mv "$work/base.cpio" "$lab_cache/"
  keep_kernel "$work/kernel" $lab_kernel "$kernel" "$work"
  { echo "$kernel" && package_versions bochs qemu-system-x86; } >"$work/ready"
  mv "$work/ready" "$lab_cache/ready"
  rm -rf "$work"
}

check_debian() {
  local ID='' VERSION_ID='' PRETTY_NAME='this system'
  # shellcheck source=/dev/null
  [[ -r /etc/os-release ]] && source /etc/os-release
  [[ $ID == debian && $VERSION_ID == 12 && $(uname -m) == x86_64 ]] ||
    fail $exit_unavailable "the lab needs Debian 12 on x86-64, because it uses its packages; this is $PRETTY_NAME on $(uname -m)."
}

package_versions() {
  local name
  for name in "$@"; do
    echo "$name-$(apt-cache policy "$name" | awk '$1 == "Candidate:" {print $2}')"
  done
}
