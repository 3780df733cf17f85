#!/usr/bin/env bash
# Tests/brokers.sh [broker[:4|:5] [case]...]: the worker on MQTT brokers, each started on a port of its own on this host.
#
# Brokers: mosquitto, flashmq, nanomq, nats, rabbitmq, ejabberd, amqtt. Without one, all that are there. Tests/rigs/broker-NAME.sh
# says where it is looked for, and the variable that names another: MOSQUITTO=/opt/mosquitto/sbin/mosquitto. :4 is MQTT 3.1.1;
# otherwise it is MQTT 5, where the broker speaks it. Needs the mosquitto clients.
#
# Cases (all of them, if none is named):
#   doctor    what `mqtt-fs-worker doctor broker` says
#   share     whether the broker has shared subscriptions. Without, each worker has a topic of its own in all other cases
#   jobs      40 jobs, 3 workers in restart loops
#   kills     the same, one of them killed with SIGKILL each second
#   dead      20 requests lie in the session of a worker that was killed; another one takes them over, or it comes back
#   beside    the same, while another worker is there
#   head      10 short jobs behind a long one, 2 workers
#   clean     as `jobs`, with --clean
#   restart   as `jobs`, and the broker is restarted
#   kept      as `dead`, and the broker is restarted before the other worker comes
#   retained  whether a late subscriber gets a result
#   people    submit, workers and cancel
#
# It prints a table. A number of jobs is that of their result.json; "told" are those with a result message. MQTT_FS_WORKER names
# the worker; a debug build otherwise. KEEP=FOLDER keeps the logs there. PATIENCE=N has it wait N times as long, on a slow host.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
worker=$(realpath "${MQTT_FS_WORKER:-$here/../.build/debug/mqtt-fs-worker}")
[ -x "$worker" ] || { echo "there is no $worker; run 'swift build' first" >&2; exit 2; }

# All that the brokers have in common; `cases`, and a function for each.
for file in tools fit cases; do
  # shellcheck source=/dev/null
  . "$here/rigs/broker-$file.sh"
done

place=$(mktemp -d "${TMPDIR:-/tmp}/brokers-XXXXXX")
trap 'rm -rf --one-file-system "$place"' EXIT

# What `try` leaves, whatever ends it.
# shellcheck disable=SC2317 # a trap calls it
finish() {
  [ -z "${ground:-}" ] || [ -e "$ground/stop" ] || end 2>/dev/null || true
  stop_broker
  [ ${#helpers[@]} = 0 ] || kill "${helpers[@]}" 2>/dev/null || true
  if [ -n "${KEEP:-}" ] && [ -n "${logs:-}" ]; then mkdir -p "$KEEP/$spec" && cp -a "$logs/." "$KEEP/$spec"; fi
  rm -rf --one-file-system "$home"
}

# Tries broker $1, and prints its line of the table. Runs in a shell of its own.
try() {
  spec=$1
  name=${1%:*}
  [ -e "$here/rigs/broker-$name.sh" ] || { echo "there is no broker '$name'" >&2; exit 2; }
  # shellcheck source=/dev/null
  . "$here/rigs/broker-$name.sh"
  # An account, where the broker wants one: a name and a password, which the worker takes from the environment.
  # shellcheck disable=SC2034 # for the rigs
  login=()
  if [ -n "${account:-}" ]; then
    # shellcheck disable=SC2034
    login=(-u "$account" -P "$account")
    export MQTT_USERNAME=$account MQTT_PASSWORD=$account
  fi
  broker_is_there || { echo "$name is not there" >&2; exit 3; }
  home=$place/$1 logs=$place/$1/logs
  mkdir -p "$logs"
  # shellcheck disable=SC2034 # for the rigs
  broker='' helpers=() loops=() port=$(free_port) shares=yes
  trap finish EXIT
  trap 'exit 1' INT TERM
  start_broker
  version=4
  if answers 5; then version=5; fi
  highest=$version
  [ "$1" = "$name" ] || version=${1#*:}

  local line case_name wanted=" ${*:2} "
  line="| $(broker_version), MQTT $([ "$version" = 5 ] && echo 5 || echo 3.1.1)"
  [ "$highest" = 5 ] || line+=" (has no 5)"
  # shellcheck disable=SC2154 # of the rigs
  for case_name in "${cases[@]}"; do
    cell="not run"
    if [ $# = 1 ] || [ "$case_name" = share ] || [[ $wanted = *" $case_name "* ]]; then
      "case_$case_name" "$case_name" || cell="FAILED"
      echo "$1, $case_name: $cell" >&2
    fi
    line+=" | $cell"
  done
  echo "$line |"
}

echo "| broker | ${cases[*]} |" | sed 's/\([a-z]\) \([a-z]\)/\1 | \2/g'
echo "|---$(printf '|---%.0s' "${cases[@]}")|"
if [ $# -gt 0 ]; then
  (try "$@") || status=$?
else
  for spec in mosquitto mosquitto:4 flashmq nanomq nats rabbitmq ejabberd amqtt; do
    # One that is not there is left out.
    (try "$spec") || [ $? = 3 ] || status=1
  done
fi
exit "${status:-0}"
