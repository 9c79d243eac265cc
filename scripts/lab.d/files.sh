# Copies the files that --get names from the second serial port. init writes each there as a header line with its checksum, the
# compressed contents in base64, and an end line.

# collect_files: writes each file whole or not at all: it is checked before it is renamed.
collect_files() {
  local index=0 name
  for name in ${gets[@]+"${gets[@]}"}; do
    index=$((index + 1))
    collect_file "$index" "$name"
  done
}

# collect_file INDEX NAME
collect_file() {
  local target=$output/${2##*/} sum partial
  partial=$(mktemp "$output/.${2##*/}.XXXXXX") || fail $exit_files "cannot write to $output."
  sum=$(awk -v head="$token file $1" 'index($0, head " ") == 1 {print $4; exit}' "$run/com2")
  if [[ -n $sum && $sum != missing ]] &&
    awk -v head="$token file $1 " -v tail="$token end $1" \
      '$0 == tail {exit} inside {print} index($0, head) == 1 {inside = 1}' "$run/com2" |
    base64 -d 2>/dev/null | gzip -dc 2>/dev/null >"$partial" && sha256sum --status -c - <<<"$sum  $partial"; then
    chmod 644 "$partial"
    mv "$partial" "$target"
    return
  fi
  rm -f "$partial"
  # A command that failed has printed why; its missing files need no message.
  [[ $sum != missing || $status -eq 0 ]] || return 0
  [[ $sum != missing ]] || fail $exit_files "the command wrote no file $2, which --get names."
  fail $exit_files "$2 was not copied out of the machine whole; try again."
}
