# Builds Bochs 3 once from Debian 13's source package, with the lab's edits, into the cache. It starts a machine in a third of
# the time that Debian 12's Bochs 2.7 takes, and has models of today's processors.

# Handlers are not chained: chained, the TSC is read only at the ends of traces, and does not count instructions exactly.
# (--enable-all-optimizations would turn chaining on.) Without plugins and display nothing listens, and no terminal is needed.
bochs_options=(--enable-x86-64 --enable-cpu-level=6 --enable-vmx=2 --enable-svm --enable-avx --enable-evex --enable-amx
  --enable-cet --enable-uintr --enable-memtype --enable-protection-keys --enable-repeat-speedups
  --enable-fast-function-calls --disable-handlers-chaining --enable-pci --enable-fpu --enable-cdrom --enable-a20-pin --disable-debugger
  --disable-gdb-stub --disable-docbook --with-nogui)
bochs_flags='-O3 -fomit-frame-pointer'
! grep -w avx2 /proc/cpuinfo | grep -qw bmi2 || bochs_flags+=' -march=x86-64-v3'

# bochs_folder: its folder in the cache, named by edits, options and flags. The file version there has Debian's version.
bochs_folder() {
  local sum
  sum=$(cat "$lab_parts/bochs-edits.sh" - <<<"${bochs_options[*]} $bochs_flags" | sha256sum)
  echo "$lab_cache/bochs-${sum:0:12}"
}

# build_bochs: fills the folder. If that fails, the status is 1 and the folder's file "failed" has the reason.
build_bochs() {
  local folder work log version
  folder=$(bochs_folder) work=$lab_cache/building log=$lab_cache/building/log
  rm -rf "$folder" "$work"
  mkdir -p "$folder" "$work/source"
  echo "lab: building Bochs 3 into $folder (once, about two minutes)" >&2

  local program
  for program in g++ make patch xz; do
    command -v "$program" >/dev/null || { bochs_failed "$program is missing"; return; }
  done
  other_suites "$work/apt" trixie || { bochs_failed "apt has no lists of trixie: $(tail -n 1 "$work/apt/log")"; return; }
  # Only the archives; apt checks them against the sums in its signed lists.
  (cd "$work" && other_apt "$work/apt" apt-get -q source --download-only --tar-only bochs &&
    other_apt "$work/apt" apt-get -q source --download-only --diff-only bochs) >"$log" 2>&1 ||
    { bochs_failed "apt could not download its source: $(tail -n 1 "$log")"; return; }
  version=$(basename "$work"/bochs_*.debian.tar.*)
  version=${version#bochs_} version=${version%.debian.tar.*}
  unpack_bochs "$work" >"$log" 2>&1 ||
    { bochs_failed "its source $version cannot be unpacked: $(tail -n 1 "$log")"; return; }
  edit_bochs "$work/source" >"$log" 2>&1 || { bochs_failed "the edits do not fit version $version: $(tail -n 1 "$log")"; return; }
  (cd "$work/source" && ./configure "${bochs_options[@]}" CFLAGS="$bochs_flags" CXXFLAGS="$bochs_flags" &&
    make -j "$(nproc)" bochs) >"$log" 2>&1 || { bochs_failed "version $version does not build: $(tail -n 1 "$log")"; return; }
  grep -qaF "$bochs_edit_sign" "$work/source/bochs" || { bochs_failed "version $version was built without the edits"; return; }

  strip -o "$folder/bochs" "$work/source/bochs"
  echo "bochs-$version+edits" >"$folder/version"
  rm -rf "$work"
}

# unpack_bochs WORK: the source with Debian's patches, in WORK/source.
unpack_bochs() {
  local patches=$1/source/debian/patches name
  tar -xf "$1"/bochs_*.orig.tar.* -C "$1/source" --strip-components=1 --no-same-owner &&
    tar -xf "$1"/bochs_*.debian.tar.* -C "$1/source" --no-same-owner || return
  while read -r name; do
    patch --silent -d "$1/source" -p1 <"$patches/$name" || return
  done < <(sed 's/#.*//; /^[[:space:]]*$/d' "$patches/series")
}

# bochs_failed REASON: keeps the reason, so that the next lab does not try again.
bochs_failed() {
  printf '%s\n' "$1" >"$(bochs_folder)/failed"
  rm -rf "$lab_cache/building"
  return 1
}
