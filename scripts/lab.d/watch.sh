# Follows a running machine on its first serial port. The command's output goes to the caller as it comes. The lab's own lines say
# how far the machine is; they begin with a random word, so no command can imitate them.

# debian_background PROGRAM ...: starts the emulator as a child of the shell $emulator, which writes a line on the serial port when
# the emulator has ended. The emulator's status does not help: Bochs ends with 1 after a clean end too. The kernel kills each
# process when its parent dies, so nothing keeps running if this script is killed.
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
  local serial line begun='' wait mark rest stage=boot separator='' deadline left first=yes tail
  deadline=$(($(now) + time_limit * 1000000))
  status='' said=''
  exec {serial}< <(exec tail -n +1 -f -s 0.05 --pid=$$ "$run/com1")
  tail=$!
  while :; do
    left=$((deadline - $(now)))
    ((left > 0)) || time_is_up
    wait=$((left / 1000000 + 1))
    # Only while the machine boots is an unfinished line looked at.
    [[ $stage != boot || $wait -le 3 ]] || wait=3
    if IFS= read -r -t "$wait" line <&"$serial"; then
      line=$begun$line begun=''
    else
      (($? > 128)) || time_is_up # tail has died
      begun+=$line
      # The code that unpacks a bzImage gives up (arch/x86/boot/compressed/error.c).
      [[ $stage != boot || $begun != *"-- System halted"* ]] ||
        fail $exit_panic "the kernel stopped before it began${said:+ ($said)}."
      continue
    fi
    if [[ $line == "$token "* ]]; then
      read -r _ mark rest <<<"${line%$'\r'}"
      case $mark in
        up) phase "boot: emulator's start to the first process" ;;
        modules) phase "load the KVM modules" ;;
        broken) fail $exit_lost "KVM did not start as it should in the machine: ${rest%.}." ;;
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
    elif [[ $stage == boot ]]; then
      line=${line%$'\r'}
      [[ -z ${line// /} ]] || said=$line
    elif [[ $stage == command ]]; then
      [[ $first == no ]] || phase "the command's first output"
      first=no
      # A newline waits until more output follows, because the lab's own lines begin with one.
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
    boot)
      fail $exit_timeout "the machine did not come up within $time_limit s and was killed${said:+ (its last line: $said)}; --time-limit gives it longer."
      ;;
    panic) machine_is_gone ;;
    command) fail $exit_timeout "the command still ran after $time_limit s and its machine was killed; --time-limit gives it longer." ;;
    *) fail $exit_timeout "the machine did not power off within $time_limit s and was killed." ;;
  esac
}

machine_is_gone() {
  local reason
  reason=$(grep -ao 'Kernel panic - not syncing: .*' "$run/com1" | tail -n 1 | tr -d '\r' || true)
  [[ $stage != panic ]] || fail $exit_panic "the machine panicked (${reason#Kernel panic - not syncing: })."
  reason=$(grep -av "warning: TCG doesn't support" "$run/emulator.log" | tail -n 1 || true)
  fail $exit_lost "the machine ended before the command had finished${reason:+ (last line of the emulator: $reason)}."
}
