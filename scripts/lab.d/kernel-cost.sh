# The table of scripts/lab-cost --linux: the cost of a real kernel's own work under each policy, and how often the kernel writes the
# register in it, on two hosts. scripts/lab-cost calls the functions.

# HOST:MITIGATION, the mitigation that the guest's kernel is told. On intel-ibrs the kernel chooses IBRS by itself.
kernel_guests='intel:retpoline intel:ibrs intel:auto intel-ibrs:auto'
kernel_policies='passthrough emulate autoload manual shadow adaptive'

# The words of the lab's kernel command line that its guest needs too, because of the emulator (docs/lab.md).
kernel_words='cryptomgr.notests ipv6.disable=1 clearcpuid=rdrand,rdseed,erms,fsrm,pku,xsavec,xsaves'
kernel_words+=' initcall_blacklist=load_system_certificate_list,trace_eval_init,tracer_init_tracefs,cubictcp_register'
kernel_words+=,init_evm,init_ima,pci_apply_final_quirks,register_warn_debugfs,intel_pstate_init,i8042_init,cmos_init

# kernel_script MITIGATION: prints the machine's script: a benchmark of one round, of which it keeps the kernel's cells.
kernel_script() {
  echo "words='$kernel_words' mitigation='$1' policies='$(printf -- '--policy %s ' $kernel_policies)'"
  cat <<'TEXT'
set -e
echo "kernel $(uname -r) $(uname -v)" >figures
spectrap bench --kernel vmlinuz --mitigation "$mitigation" --append "$words" --accept-unprotected --rounds 1 \
  $policies --workload bare --seed 1 --csv csv >text
awk -F, '
  { sub(/\r$/, "") }
  NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
  $1 ~ /^linux\// {
    split($1, part, "/")
    does = $column["kernel_taken"] == "" ? "-" : $column["kernel_taken"]
    if ($column["status"] != "measured") { print "lab-cost: " $0 >"/dev/stderr"; exit 1 }
    # The last field, because the words of the kernel before it may have commas.
    print "cell", part[4], does, part[3], part[2], $column["median"], $NF
  }' csv >>figures
TEXT
}

# measure_kernels OUTPUT: measures the kernels in the array guests, or all if it is empty. It writes kernel and emulator to OUTPUT, then
# a line per cell: host, told, does, policy, work, instructions, writes.
measure_kernels() {
  local guest machines=()
  scripts/lab --setup 2>"$work/setup" || die 69 "the lab cannot start: $(tail -n 1 "$work/setup")"
  scripts/build-static >"$work/build" 2>&1 || die 70 "the build failed: $(tail -n 3 "$work/build")"
  # All machines run at once: their figures are counts, which other load does not change.
  [[ ${#guests[@]} -gt 0 ]] || read -ra guests <<<"$kernel_guests"
  for guest in "${guests[@]}"; do
    mkdir "$work/$guest"
    kernel_script "${guest#*:}" >"$work/$guest/script"
    scripts/lab "${guest%:*}" --guest-kernel --time-limit 3600 --script "$work/$guest/script" --get figures \
      --output "$work/$guest" >"$work/$guest/lab" 2>&1 &
    machines+=($!)
  done
  for guest in "${guests[@]}"; do
    wait "${machines[0]}" || {
      kill "${machines[@]}" 2>/dev/null || true
      die 70 "the measurement of $guest failed: $(tail -n 3 "$work/$guest/lab")"
    }
    machines=("${machines[@]:1}")
  done
  {
    sed -n 's/^kernel /kernel Linux /p' "$work/${guests[0]}/figures"
    echo "emulator $(grep -o 'bochs-[^ ]*' "$work/setup")"
    for guest in "${guests[@]}"; do sed -n "s/^cell /cell ${guest%:*} /p" "$work/$guest/figures"; done
  } >"$1"
}

# render_kernels FIGURES: prints the table, one row for each kernel under a policy.
render_kernels() {
  awk '
    function number(value) { return sprintf(value < 100 ? "%.2f" : "%.0f", value) }
    $1 == "kernel" || $1 == "emulator" { what = $1; $1 = ""; print "- " what ":" $0 }
    $1 == "cell" {
      row = "| `" $2 "` | " $3 " | " $4 " | `" $5 "` |"
      if (!(row in cells)) rows[++count] = row
      cells[row] = cells[row] " " number($7) " | " number($8) " |"
    }
    END {
      print "\n| host | told | does | policy | getppid | writes | page fault | writes | pipe | writes |"
      print "|---|---|---|---|---:|---:|---:|---:|---:|---:|"
      for (i = 1; i <= count; i++) print rows[i] cells[rows[i]]
      print ""
    }' "$1"
}

# recorded_kernels: prints the figures of the page in the form that measure_kernels writes.
recorded_kernels() {
  awk -v begin="$begin" -v end="$end" '
    $0 == end { inside = 0 }
    inside && sub(/^- /, "") { sub(":", ""); print }
    inside && /^\| `/ {
      gsub("`", "")
      split($0, cell, / *\| */)
      split("getppid page-fault pipe", works, " ")
      for (i = 1; i <= 3; i++) print "cell", cell[2], cell[3], cell[4], cell[5], works[i], cell[4 + 2 * i], cell[5 + 2 * i]
    }
    $0 == begin { inside = 1 }' "$page"
}

# check_kernels FIGURES: fails if a system call costs more than 2 % more than on the page, if a fault or a round trip costs more than
# 25 % more (the kernel's free pages differ from boot to boot; under adaptive 50 %, because a switch may fall among the samples), or if a
# number of writes differs.
check_kernels() {
  local status=0
  recorded_kernels | awk -v guests=" ${guests[*]} " '
    $1 != "cell" || guests ~ /^ *$/ || index(guests, " " $2 ":" $3 " ")' >"$work/recorded"
  awk '
    function number(value) { return sprintf(value < 100 ? "%.2f" : "%.0f", value) }
    function complain(text) { print "lab-cost: " text; wrong = 1 }
    function name(key, part) { split(key, part, SUBSEP); return part[1] ", told " part[2] ", " part[3] ": " part[4] }
    NR == FNR && $1 == "cell" {
      key = $2 SUBSEP $3 SUBSEP $5 SUBSEP $6; order[++count] = key
      was[key] = $7; wrote[key] = $8; did[key] = $4
    }
    NR != FNR && $1 == "cell" {
      key = $2 SUBSEP $3 SUBSEP $5 SUBSEP $6; now[key] = $7; writes[key] = number($8); does[key] = $4
      if (!(key in was)) complain(name(key) ": not in the table; run scripts/lab-cost --linux --update")
    }
    $1 == "kernel" || $1 == "emulator" { what = $1; $1 = ""; if (NR == FNR) host[what] = $0; else if (host[what] != $0) {
      print "lab-cost: the " what " is" $0 ", the table is of" host[what] "; this may be why figures differ" } }
    END {
      if (count == 0) complain("the page holds no table; run scripts/lab-cost --linux --update")
      for (i = 1; i <= count; i++) {
        key = order[i]
        if (!(key in now)) { complain(name(key) ": in the table, but not measured"); continue }
        if (did[key] != does[key]) complain(name(key) ": the kernel does " does[key] ", the table has " did[key])
        # At the end of a sample the other end of the pipe may or may not be in its next call.
        more = writes[key] - wrote[key]; if (more < 0) more = -more
        if (more > (key ~ /pipe$/ ? 0.015 : 0)) complain(name(key) ": " writes[key] " writes, the table has " wrote[key])
        figures = number(now[key]) " instructions, the table has " number(was[key])
        split(key, part, SUBSEP)
        share = part[4] == "getppid" ? 2 : part[3] == "adaptive" ? 50 : 25
        if (now[key] > (1 + share / 100) * was[key]) complain(name(key) " rose by more than " share " %: " figures)
        else if (now[key] < (1 - share / 100) * was[key])
          print "lab-cost: " name(key) " fell by more than " share " %: " figures \
            "; keep it so with scripts/lab-cost --linux --update"
      }
      exit wrong
    }' "$work/recorded" "$1" >&2 || status=$?
  [[ $status == 0 ]] || exit 70
  echo "lab-cost: no kernel's work costs more than on $page" >&2
}
