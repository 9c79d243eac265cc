# The short benchmark of scripts/lab-bisect and scripts/lab-history: one round of a few cells on the lab's intel host, in
# instructions. Its figures are lines:
#   kernel RELEASE       compiler NAME VERSION       package VERSION
#   cell ID INSTRUCTIONS        of one iteration; a single instruction is without the loop around it
#   reason ID EXITS NAME        exits of one iteration by KVM's reason, with --trace-kvm

short_workloads='bare ibrs ibrs-zero chatty wrmsr rdmsr cpuid out mmio hlt'

# short_bench_script [OPTION ...]: prints the machine's script; the options are for bench.
short_bench_script() {
  local workload options=(--rounds 1 --seed 1 --policy passthrough --policy emulate)
  for workload in $short_workloads; do options+=(--workload "$workload"); done
  # No word has a quotation mark: the scripts here choose them.
  printf 'set --'
  printf " '%s'" "${options[@]}" "$@"
  cat <<'TEXT'

spectrap bench "$@" --csv csv --json json >text 2>&1 || { tail -n 3 text; exit 1; }
{
  sed 's/^Linux version \([^ ]*\) .*(\([^ ()]*\) ([^()]*) \([0-9.]*\), .* Debian \([^ ]*\) .*$/kernel \1\ncompiler gcc \3\npackage \4/
    t
    s/^Linux version \([^ ]*\) .*$/kernel \1/' /proc/version
  awk -F, '
    { sub(/\r$/, "") }
    NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
    # Only a reason can have a comma before these columns, and a measured cell has no reason.
    $column["status"] == "measured" {
      id = $column["id"]
      order[++count] = id
      median[id] = $column["median"]
      if ($column["baseline_use"] == "subtract") { loop[id] = $column["baseline"]; isLoop[loop[id]] = 1 }
    }
    END {
      for (i = 1; i <= count; i++) {
        id = order[i]
        # Cells beside a neighbour differ from run to run.
        if (id in isLoop || id ~ /neighbour/ || median[id] == "") continue
        print "cell", id, median[id] - (id in loop ? median[loop[id]] : 0)
      }
    }' csv
  # Keys are sorted, so the reasons of a cell come before its id.
  awk '
    /"exitReasonsPerEntry" : \{$/ { inside = 1; count = 0; next }
    inside && /\}/ { inside = 0 }
    inside { name = $0; sub(/^ *"/, "", name); sub(/" : .*$/, "", name); value = $0; sub(/^.*" : /, "", value)
      sub(/,$/, "", value); lines[++count] = value " " name }
    /^ *"id" : / { id = $3; gsub(/[",]/, "", id); for (i = 1; i <= count; i++) print "reason", id, lines[i]; count = 0 }' json
} >figures
TEXT
}
