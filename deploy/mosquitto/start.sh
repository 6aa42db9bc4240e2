#!/bin/sh
# Makes the password file from MQTT_<ACCOUNT>_PASSWORD and starts the broker. /run/mosquitto and /tmp are in memory.
set -eu
umask 077

# Nobody else needs it, so that a new one for each start will do.
health_password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')

passwords=/run/mosquitto/passwords
cat >"$passwords" <<EOT
chargepoint:${MQTT_CHARGEPOINT_PASSWORD:?}
csms:${MQTT_CSMS_PASSWORD:?}
memorybank:${MQTT_MEMORYBANK_PASSWORD:?}
console:${MQTT_CONSOLE_PASSWORD:?}
lab:${MQTT_LAB_PASSWORD:?}
detector:${MQTT_DETECTOR_PASSWORD:?}
health:$health_password
EOT
# Hashes them in place, so that no password stands on a command line.
mosquitto_passwd -U "$passwords"

# Mosquitto wants to own it, and its folder in the repository belongs to someone else.
cat /mosquitto/config/acl >/run/mosquitto/acl

# Where mosquitto_sub looks for its options: the health check's.
printf -- '-h 127.0.0.1\n-u health\n-P %s\n' "$health_password" >/run/mosquitto/mosquitto_sub

exec mosquitto -c /mosquitto/config/mosquitto.conf
