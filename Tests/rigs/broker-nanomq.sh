# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/brokers.sh, which sets home, logs and port
# NanoMQ: NANOMQ names the executable.
program=${NANOMQ:-$(command -v nanomq || true)}

broker_is_there() { [ -x "$program" ]; }

broker_version() { echo "NanoMQ $("$program" --version 2>&1 | grep -o '[0-9][0-9.]*[0-9]' | head -1)"; }

broker_up() {
  # What waits for a client that is away, or has not acknowledged, is sent one message each retry_interval.
  cat >"$home/nanomq.conf" <<CONF
mqtt {
  max_mqueue_len = 2048
  retry_interval = 1s
}
listeners.tcp { bind = "127.0.0.1:$port" }
log { to = [file], level = warn, dir = "$logs", file = "broker.log" }
auth { allow_anonymous = true, no_match = allow, deny_action = ignore }
CONF
  # Its pid file lies in the folder for temporary files.
  TMPDIR=$home "$program" start --conf "$home/nanomq.conf" >>"$logs/broker.out" 2>&1 &
  broker=$!
}
