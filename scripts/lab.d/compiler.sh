# Fetches the compiler that a kernel was built with, if the system lacks it: Debian 13's gcc, unpacked into the cache and run with
# Debian 13's libraries. Nothing is installed.

# choose_compiler NAME: puts the compiler on PATH, or fails.
choose_compiler() {
  command -v "$1" >/dev/null && return
  compiler=$1 compiler_folder=$lab_cache/compilers/$1
  once is_compiler_there fetch_compiler
  export PATH=$compiler_folder/bin:$PATH
}

is_compiler_there() { [[ -x $compiler_folder/bin/$compiler ]]; }

fetch_compiler() {
  local work=$lab_cache/fetching-compiler made=$lab_cache/fetching-compiler/made package libraries name
  rm -rf "$work"
  mkdir -p "$made/bin" "$made/libexec" "$lab_cache/compilers"
  echo "lab-module: fetching $compiler from Debian 13 (once)" >&2
  other_suites "$work/apt" trixie || fail $exit_unavailable "apt has no lists of trixie ($(tail -n 1 "$work/apt/log")); is there a network?"
  (cd "$work" && other_apt "$work/apt" apt-get -q -o APT::Sandbox::User=root download "$compiler-x86-64-linux-gnu" \
    "cpp-${compiler#gcc-}-x86-64-linux-gnu" "lib$compiler-dev" libc6 libmpc3 libmpfr6 libgmp10 libisl23 libzstd1 zlib1g \
    libstdc++6 libgcc-s1) >"$work/log" 2>&1 ||
    fail $exit_unavailable "Linux $release needs $compiler, and apt could not download it ($(tail -n 1 "$work/log")); is there a network?"
  for package in "$work"/*.deb; do
    dpkg-deb -x "$package" "$made" || fail $exit_unavailable "${package##*/} cannot be unpacked; is there space in $lab_cache?"
  done
  # Debian 13's programs need its C library, so wrappers start its loader by path; gcc finds cc1 by -B.
  libraries=$compiler_folder/usr/lib/x86_64-linux-gnu
  [[ -x $made/usr/bin/x86_64-linux-gnu-$compiler ]] || fail $exit_unavailable "the package of $compiler does not contain it."
  printf '#!/bin/sh\nexec %s/ld-linux-x86-64.so.2 --library-path %s %s/usr/bin/x86_64-linux-gnu-%s -B%s/libexec/ "$@"\n' \
    "$libraries" "$libraries" "$compiler_folder" "$compiler" "$compiler_folder" >"$made/bin/$compiler"
  ln -s "$compiler" "$made/bin/x86_64-linux-gnu-$compiler"
  for name in cc1 collect2; do
    printf '#!/bin/sh\nexec %s/ld-linux-x86-64.so.2 --library-path %s %s/usr/libexec/gcc/x86_64-linux-gnu/%s/%s "$@"\n' \
      "$libraries" "$libraries" "$compiler_folder" "${compiler#gcc-}" "$name" >"$made/libexec/$name"
  done
  chmod +x "$made/bin/$compiler" "$made"/libexec/*
  rm -rf "$compiler_folder"
  mv "$made" "$compiler_folder"
  rm -rf "$work"
}
