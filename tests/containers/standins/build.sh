#!/usr/bin/env bash
# Builds stand-ins for python:3.13-slim, postgres:17 and eclipse-mosquitto:2 from Debian's
# packages, for machines without an image registry, so that the project's own Dockerfiles and
# compose file run unchanged. Keeps what is already right: a real image under that name, or a
# stand-in made by this very recipe. Needs root, a running engine and mmdebstrap (../engine).
#
# Example: bash tests/containers/standins/build.sh
#          bash tests/containers/standins/build.sh postgres:17
set -euo pipefail

if [[ ${1:-} == --help ]]; then sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "$0"; exit; fi

suite=trixie
base=debian:trixie-slim
declare -A folders=([python:3.13-slim]=python [postgres:17]=postgres [eclipse-mosquitto:2]=mosquitto)
label=chargebench.standin.recipe

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../engine/debian-source.sh
source "$here/../engine/debian-source.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/chargebench-standins.XXXXXX")
trap 'rm -rf "$work"' EXIT
export DEBIAN_FRONTEND=noninteractive
# An older client's default is the builder before BuildKit.
export DOCKER_BUILDKIT=1

fail() { echo "standins/build: $1; the end of the log:" >&2; tail -n 25 "$2" >&2; exit 1; }

# What a container needs to reach the package indexes as this host does: the authorities it
# trusts, its proxy and pip's settings. Copied into the images, never into the repository.
mkdir "$work/host"
for ca in "${PIP_CERT:-}" "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt; do
  if [[ -s $ca ]]; then cp "$ca" "$work/host/ca-certificates.crt"; break; fi
done
{
  echo "[global]"
  if [[ -s $work/host/ca-certificates.crt ]]; then echo "cert = /etc/ssl/certs/ca-certificates.crt"; fi
  proxy=${https_proxy:-${HTTPS_PROXY:-}}
  if [[ -n $proxy ]]; then echo "proxy = $proxy"; fi
  # Lines such as global.index-url='https://…'; later ones (the environment's) win.
  { python3 -m pip config list 2>/dev/null || true; } | tac |
    sed -nE "s/^[^.]*\.(default-)?(timeout|index-url|extra-index-url|trusted-host|retries)='(.*)'$/\2 = \3/p" |
    awk '!seen[$1]++'
} >"$work/host/pip.conf"
apt-config dump 2>/dev/null | grep -E '^Acquire::(https?::Proxy|Check-)' >"$work/host/apt.conf" || true

recipe_of() {
  local files=("$here/build.sh" "$here"/base/* "$here/$1"/*)
  # Only these two carry settings of the host.
  if [[ $1 == base || $1 == python ]]; then files+=("$work"/host/*); fi
  cat "${files[@]}" | sha256sum | cut -c1-16
}
found_recipe() { docker image inspect --format "{{index .Config.Labels \"$label\"}}" "$1" 2>/dev/null; }
# An image without the label is the real one: it stays.
is_right() { local found; found=$(found_recipe "$1") && [[ -z $found || $found == "$2" ]]; }

wanted=("$@")
if ((${#wanted[@]} == 0)); then wanted=("${!folders[@]}"); fi
missing=()
for image in "${wanted[@]}"; do
  if [[ -z ${folders[$image]:-} ]]; then
    echo "standins/build: there is no stand-in for $image, only for: ${!folders[*]}" >&2
    exit 2
  fi
  is_right "$image" "$(recipe_of "${folders[$image]}")" || missing+=("$image")
done
if ((${#missing[@]} == 0)); then
  echo "standins/build: nothing to do"
  exit 0
fi

build_base() {
  local mirror
  mirror=$(debian_source) || { apt-get -qq update && mirror=$(debian_source); } || return 1
  # The package lists stay in, so that no stand-in fetches them again.
  # The exclusions come last: given as options, they make mmdebstrap unpack ten times slower.
  mmdebstrap --variant=minbase --include=ca-certificates --keyring="$debian_keyring" \
    --skip=cleanup/apt/lists --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
    --aptopt="$work/host/apt.conf" --dpkgopt=force-unsafe-io \
    --customize-hook="copy-in '$here/base/policy-rc.d' /usr/sbin" \
    --customize-hook="copy-in '$here/base/slim' /etc/dpkg/dpkg.cfg.d" \
    --customize-hook="[ ! -s '$work/host/ca-certificates.crt' ] || cp '$work/host/ca-certificates.crt' \"\$1/etc/ssl/certs/\"" \
    "$suite" "$work/base.tar" "deb $mirror $suite main" || return 1
  docker import --change "LABEL $label=$1" --change 'CMD ["bash"]' "$work/base.tar" "$base"
}

build_image() {
  local image=$1 folder=${folders[$1]} context=$work/context-${folders[$1]}
  rm -rf "$context"
  mkdir "$context"
  cp -r "$here/$folder/." "$work/host" "$context/"
  docker build --network "${STANDINS_BUILD_NETWORK:-default}" --label "$label=$(recipe_of "$folder")" \
    --tag "$image" "$context"
}

# Leaves in `missing` what could not be built.
build_missing() {
  local image failed=()
  declare -A jobs=()
  for image in "${missing[@]}"; do
    build_image "$image" >"$work/${folders[$image]}.log" 2>&1 </dev/null &
    jobs[$image]=$!
  done
  for image in "${missing[@]}"; do
    wait "${jobs[$image]}" || failed+=("$image")
  done
  missing=("${failed[@]}")
  ((${#missing[@]} == 0))
}

base_recipe=$(recipe_of base)
built=${missing[*]}
for try in 1 2 3; do
  # Made anew after a failure: its package lists may be older than what the mirror still holds.
  if ((try > 1)) || ! is_right "$base" "$base_recipe"; then
    if ! build_base "$base_recipe" >"$work/base.log" 2>&1 </dev/null; then
      if ((try == 3)); then fail "building $base failed" "$work/base.log"; fi
      sleep $((try * 3))
      continue
    fi
  fi
  if build_missing; then break; fi
  if ((try == 3)); then fail "building ${missing[*]} failed" "$work/${folders[${missing[0]}]}.log"; fi
done
echo "standins/build: built $built in $SECONDS s"
