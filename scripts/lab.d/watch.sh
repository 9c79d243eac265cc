# Follows a running machine on its first serial port: what the command says goes to the caller as it comes, the lab's
# own lines (a random word first, so that no command can imitate them) tell how far the machine is.

# debian_background PROGRAM ...: starts the emulator below $emulator, a shell that says on the serial port when it has
# ended (its exit status says nothing: Bochs gives 1 for a clean end and a broken one alike). The kernel kills each when
# what is above it dies, so that nothing is left running even when this script is killed.
debian_background() {
  # shellcheck disable=SC2016 # the inner shell expands it
  lab_gone="$token gone" lab_serial=$run/com1 \
    setpriv --pdeathsig KILL sh -c 'setpriv --pdeathsig KILL env "$@"; printf "\n%s\n" "$lab_gone" >>"$lab_serial"' sh \
    ${lab_environment[@]+"${lab_environment[@]}"} "$@" </dev/null >"$run/emulator.out" &
  emulator=$!
}

now() { echo "${EPOCHREALTIME/./}"; } # microseconds

# phase NAME: with --timings, prints how long the phase that ends here took.
phase() {
  local time
  time=$(now)
  if [[ $timings == yes && $1 != start ]]; then
    printf 'lab: %6d ms  %s\n' $(((time - phase_start) / 1000)) "$1" >&2
  fi
  phase_start=$time
}

# watch_machine: returns when the machine has ended well, with the command's status in $status.
watch_machine() {
  local serial line mark rest stage=boot separator='' deadline left first=yes tail
  deadline=$(($(now) + time_limit * 1000000))
  status=''
  exec {serial}< <(exec tail -n +1 -f -s 0.05 --pid=$$ "$run/com1")
  tail=$!
  while :; do
    left=$((deadline - $(now)))
    ((left > 0)) || time_is_up
    IFS= read -r -t "$((left / 1000000 + 1))" line <&"$serial" || time_is_up
    if [[ $line == "$token "* ]]; then
      read -r _ mark rest <<<"${line%$'\r'}"
      case $mark in
        up) phase "boot: emulator's start to the first process" ;;
        modules) phase "load the KVM modules" ;;
        broken) fail $exit_lost "the machine came up without KVM as it should be: ${rest%.}." ;;
        begin) stage=command ;;
        status) stage=files && status=$rest && phase "the rest of the command" ;;
        "done") stage=done && phase "hand files out" ;;
        gone) break ;;
      esac
    elif [[ $stage == panic || $line == *"Kernel panic - not syncing"* ]]; then
      stage=panic
      printf '%s' "$separator"
      separator=''
      printf '%s\n' "${line%$'\r'}" >&2
    elif [[ $stage == command ]]; then
      [[ $first == no ]] || phase "the command's first output"
      first=no
      # A newline is held back until something follows it, for the lab's own lines begin with one.
      printf '%s%s' "$separator" "$line"
      separator=$'\n'
    fi
  done
  { kill "$tail" && wait "$tail"; } 2>/dev/null || true
  exec {serial}<&-
  [[ $stage != "done" ]] || phase "power off"
  [[ $stage == "done" ]] || machine_is_gone
}

time_is_up() {
  case $stage in
    boot) fail $exit_timeout "the machine did not come up within $time_limit s, and was killed; --time-limit gives it longer." ;;
    panic) machine_is_gone ;;
    command) fail $exit_timeout "the command still ran after $time_limit s, and its machine was killed; --time-limit gives it longer." ;;
    *) fail $exit_timeout "the machine did not power off within $time_limit s, and was killed." ;;
  esac
}

machine_is_gone() {
  local reason
  reason=$(grep -ao 'Kernel panic - not syncing: .*' "$run/com1" | tail -n 1 | tr -d '\r' || true)
  [[ $stage != panic ]] || fail $exit_panic "the machine panicked (${reason#Kernel panic - not syncing: })."
  reason=$(grep -av "warning: TCG doesn't support" "$run/emulator.log" | tail -n 1 || true)
  fail $exit_lost "the machine was lost before it had finished${reason:+ (last words of the emulator: $reason)}."
}
