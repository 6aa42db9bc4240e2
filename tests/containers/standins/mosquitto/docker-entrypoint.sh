#!/bin/sh
# The official image's contract: root hands /mosquitto to the user the broker steps down to.
# Example: /docker-entrypoint.sh mosquitto -c /mosquitto/config/mosquitto.conf
set -eu

if [ "$(id -u)" = 0 ]; then
  # What is mounted read-only keeps its owner.
  chown -R mosquitto:mosquitto /mosquitto 2>/dev/null || true
fi
exec "$@"
