#!/usr/bin/env bash
# Installs what the container tests need and this machine lacks: a docker engine, the
# compose and buildx plugins, and mmdebstrap (for ../standins/build.sh). Debian, root.
# Installs nothing where `docker info`, `docker compose` and `docker buildx` already answer.
#
# Example: bash tests/containers/engine/install.sh && bash tests/containers/engine/start.sh
set -euo pipefail

if [[ ${1:-} == --help ]]; then sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "$0"; exit; fi

# The suite whose plugins and base images are used; older Debians have no compose v2.
plugin_suite=trixie
# Found by every docker client whatever HOME a test sets.
plugin_dir=/usr/local/lib/docker/cli-plugins
export DEBIAN_FRONTEND=noninteractive
work=$(mktemp -d "${TMPDIR:-/tmp}/chargebench-install.XXXXXX")
log=$work/install.log
trap 'rm -rf "$work"' EXIT
# apt reads some downloads as its own user, _apt.
chmod 755 "$work"

fail() { echo "engine/install: $1; the end of the log:" >&2; tail -n 25 "$log" >&2; exit 1; }

# The lock may be another session's, the mirror may hiccup: a few tries, then give up.
retry() {
  local try
  for try in 1 2 3; do
    echo "+ $*" >>"$log"
    "$@" >>"$log" 2>&1 </dev/null && return 0
    sleep $((try * 3))
  done
  return 1
}
apt() { apt-get -qq -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 "$@"; }
installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

packages=()
want() { installed "$1" || packages+=("$1"); }
have_engine=no
if docker info >/dev/null 2>&1; then have_engine=yes; fi
if [[ $have_engine == no ]]; then
  for package in docker.io iptables iproute2; do want "$package"; done
fi
if ! command -v mmdebstrap >/dev/null; then want mmdebstrap; fi
plugins=()
docker compose version >/dev/null 2>&1 || plugins+=(compose)
docker buildx version >/dev/null 2>&1 || plugins+=(buildx)

if ((${#packages[@]} == 0 && ${#plugins[@]} == 0)); then
  echo "engine/install: nothing to do"
  exit 0
fi
if ((EUID != 0)); then
  echo "engine/install: needs root to install ${packages[*]} ${plugins[*]}" >&2
  exit 1
fi
: >"$log"

retry apt update || fail "apt-get update failed"

# Runs beside the packages' installation: most of it is waiting for the mirror.
fetch_plugins() {
  local mirror dir=$work/apt deb plugin
  # shellcheck source=debian-source.sh
  source "$(dirname "${BASH_SOURCE[0]}")/debian-source.sh"
  mirror=$(debian_source) || return 1
  mkdir -p "$dir"/{lists/partial,cache/archives/partial,parts,debs,tree}
  echo "deb [signed-by=$debian_keyring] $mirror $plugin_suite main" >"$dir/sources.list"
  cat >"$dir/apt.conf" <<CONF
Dir::Etc::SourceList "$dir/sources.list";
Dir::Etc::SourceParts "$dir/parts";
Dir::State::Lists "$dir/lists";
Dir::Cache "$dir/cache";
Acquire::Languages "none";
CONF
  chmod -R a+rX "$dir"
  chmod 777 "$dir/debs"
  # The machine's own settings may pack the lists again and read the desktop's metadata.
  APT_CONFIG=$dir/apt.conf retry apt -o Acquire::GzipIndexes=false -o APT::Update::Post-Invoke-Success= \
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false update || return 1
  (cd "$dir/debs" && APT_CONFIG=$dir/apt.conf retry apt download docker-compose docker-buildx) || return 1
  for deb in "$dir"/debs/*.deb; do dpkg-deb -x "$deb" "$dir/tree"; done
  mkdir -p "$plugin_dir"
  for plugin in "${plugins[@]}"; do
    install -m 755 "$(find "$dir/tree" -path "*/cli-plugins/docker-$plugin")" "$plugin_dir/"
  done
}
if ((${#plugins[@]})); then fetch_plugins & plugins_job=$!; fi

if ((${#packages[@]})); then
  retry apt install --no-install-recommends "${packages[@]}" || fail "apt-get install ${packages[*]} failed"
fi
if ((${#plugins[@]})); then
  wait "$plugins_job" || fail "fetching the docker plugins ${plugins[*]} failed"
fi

for tool in "docker --version" "docker compose version" "docker buildx version" "mmdebstrap --version"; do
  $tool >>"$log" 2>&1 || fail "'$tool' does not work after the installation"
done
echo "engine/install: installed ${packages[*]} ${plugins[*]/#/plugin:}; $(docker compose version)"
