# Lets apt read other releases of Debian. Their lists are in a folder of their own, so the system does not change and no root is
# needed. Debian 12's keyring verifies them all.

# other_suites FOLDER SUITE ...: fetches the lists of these suites into FOLDER, for other_apt. If that fails, the status is 1 and
# apt's messages are in FOLDER/log.
other_suites() {
  local folder=$1 mirror suite
  shift
  # The mirror that the system's own packages come from.
  # shellcheck disable=SC2016 # apt expands it
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Codename: bookworm' 2>/dev/null | head -n 1)
  mkdir -p "$folder"/{sources,lists/partial,cache/archives/partial}
  for suite in "$@"; do
    printf '%s\n' 'Types: deb deb-src' "URIs: ${mirror:-http://deb.debian.org/debian/}" "Suites: $suite" 'Components: main' \
      'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg' >"$folder/sources/$suite.sources"
  done
  cat >"$folder/apt.conf" <<TEXT
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$folder/sources";
Dir::State::Lists "$folder/lists";
Dir::Cache "$folder/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "2";
TEXT
  # Without this, apt ends with 0 although a list could not be fetched.
  other_apt "$folder" apt-get -q -o APT::Update::Error-Mode=any update >"$folder/log" 2>&1
}

# other_apt FOLDER PROGRAM ...: runs a program of apt on the lists in FOLDER.
other_apt() {
  local folder=$1
  shift
  APT_CONFIG=$folder/apt.conf "$@"
}
