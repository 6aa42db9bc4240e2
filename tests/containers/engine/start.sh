#!/usr/bin/env bash
# Starts dockerd in the background where no docker daemon answers, and waits until it does.
# Its pid and log are kept in ENGINE_STATE (default /run/chargebench-engine), for stop.sh.
#
# Example: bash tests/containers/engine/start.sh
#          ENGINE_STATE=/tmp/engine ENGINE_START_TIMEOUT_S=120 bash tests/containers/engine/start.sh
set -euo pipefail

if [[ ${1:-} == --help ]]; then sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "$0"; exit; fi

state=${ENGINE_STATE:-/run/chargebench-engine}
timeout_s=${ENGINE_START_TIMEOUT_S:-60}
log=$state/dockerd.log

answers() { timeout 5 docker info >/dev/null 2>&1; }
version() { docker version --format 'engine {{.Server.Version}}, client {{.Client.Version}}'; }

if answers; then
  echo "engine/start: a docker daemon already answers ($(version))"
  exit 0
fi
if ((EUID != 0)); then
  echo "engine/start: no docker daemon answers, and starting one needs root" >&2
  exit 1
fi
mkdir -p "$state"
# Two callers at once start one daemon.
exec 9>"$state/lock"
flock -w "$timeout_s" 9
if answers; then
  echo "engine/start: a docker daemon already answers ($(version))"
  exit 0
fi

# A pid file of our own: the default one may be left over and name a process that now is another.
rm -f "$state"/dockerd.pid "$state"/dockerd.started
# Containers must not send larger packets than the way out takes, or downloads in a build stall.
mtu=$(ip -o route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1 |
  xargs -r -I{} cat /sys/class/net/{}/mtu 2>/dev/null || true)
setsid nohup dockerd --pidfile "$state/dockerd.pid" ${mtu:+--mtu "$mtu"} \
  >"$log" 2>&1 </dev/null 9>&- &
pid=$!

deadline=$((SECONDS + timeout_s))
until answers; do
  if ! kill -0 "$pid" 2>/dev/null || ((SECONDS >= deadline)); then
    echo "engine/start: dockerd ended, or did not answer within $timeout_s s; the end of $log:" >&2
    tail -n 25 "$log" >&2
    kill "$pid" 2>/dev/null || true
    exit 1
  fi
  sleep 0.2
done
# With the start time, since a pid alone may come to name another process.
pid=$(<"$state/dockerd.pid")
awk '{print $22}' "/proc/$pid/stat" >"$state/dockerd.started"
echo "engine/start: dockerd answers, pid $pid ($(version)), log $log"
