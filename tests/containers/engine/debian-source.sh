#!/usr/bin/env bash
# Sourced by install.sh and ../standins/build.sh. Example: mirror=$(debian_source)

# shellcheck disable=SC2034  # used by those who source this
debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Prints the address of this machine's own Debian source, so that no file names a mirror.
debian_source() {
  local codename mirror
  codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  # shellcheck disable=SC2016  # $(REPO_URI) is apt's, not the shell's
  mirror=$(apt-get indextargets --format '$(REPO_URI)' \
    'Identifier: Packages' 'Origin: Debian' 'Component: main' "Codename: $codename" | sed -n 1p)
  if [[ -z $mirror ]]; then
    echo "no Debian source found on this machine (has 'apt-get update' been run?)" >&2
    return 1
  fi
  echo "$mirror"
}
