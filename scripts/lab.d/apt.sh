# Debian's other releases for apt, beside the system's: lists of their own in a folder of their own, so that nothing of the
# system's changes and no root is needed. Debian 12's own keyring verifies them all.

# other_suites FOLDER SUITE ...: fetches the lists of these suites into FOLDER; other_apt asks them. Status 1, with the last
# words of apt's in FOLDER/log, where that fails.
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
  # An update that could not fetch everything is none, even if apt ends with 0.
  other_apt "$folder" apt-get -q -o APT::Update::Error-Mode=any update >"$folder/log" 2>&1
}

# other_apt FOLDER PROGRAM ...: one of apt's programs on the lists in FOLDER.
other_apt() {
  local folder=$1
  shift
  APT_CONFIG=$folder/apt.conf "$@"
}
