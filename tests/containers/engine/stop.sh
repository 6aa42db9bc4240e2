#!/usr/bin/env bash
# Ends the dockerd that start.sh started, and no other.
#
# Example: bash tests/containers/engine/stop.sh
set -euo pipefail

if [[ ${1:-} == --help ]]; then sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p}' "$0"; exit; fi

state=${ENGINE_STATE:-/run/chargebench-engine}
timeout_s=${ENGINE_STOP_TIMEOUT_S:-60}

pid=$(cat "$state/dockerd.pid" 2>/dev/null || true)
started=$(cat "$state/dockerd.started" 2>/dev/null || true)
ours() { [[ -n $pid && -n $started && $(awk '{print $22}' "/proc/$pid/stat" 2>/dev/null) == "$started" ]]; }

if ! ours; then
  echo "engine/stop: no dockerd of ours runs"
  exit 0
fi
kill "$pid"
deadline=$((SECONDS + timeout_s))
while ours; do
  if ((SECONDS >= deadline)); then
    echo "engine/stop: dockerd (pid $pid) did not end within $timeout_s s; the end of its log:" >&2
    tail -n 25 "$state/dockerd.log" >&2
    exit 1
  fi
  sleep 0.2
done
rm -f "$state"/dockerd.pid "$state"/dockerd.started
echo "engine/stop: dockerd ended"
