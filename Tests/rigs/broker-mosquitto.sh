# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/brokers.sh, which sets home, logs and port
# mosquitto: MOSQUITTO names the executable, of any version; the installed one otherwise.
program=${MOSQUITTO:-$(command -v mosquitto || ls /usr/sbin/mosquitto 2>/dev/null || true)}

broker_is_there() { [ -x "$program" ]; }

broker_version() { echo "mosquitto $("$program" -h 2>&1 | sed -n 's/.*mosquitto version \([0-9][0-9.]*\).*/\1/p' | head -1)"; }

broker_up() {
  # max_queued_messages: the default of 1,000 drops what is more, without a word. The user: it gives root up otherwise, and could
  # not write to a folder that root has made.
  cat >"$home/mosquitto.conf" <<CONF
listener $port 127.0.0.1
allow_anonymous true
user root
max_queued_messages 0
persistence true
persistence_location $home/
CONF
  "$program" -c "$home/mosquitto.conf" >>"$logs/broker.log" 2>&1 &
  broker=$!
}
