# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/brokers.sh, which sets home, logs and port
# FlashMQ: FLASHMQ names the executable.
program=${FLASHMQ:-$(command -v flashmq || true)}

broker_is_there() { [ -x "$program" ]; }

broker_version() { echo "FlashMQ $("$program" --version | grep -o '[0-9][0-9.]*[0-9]' | head -1)"; }

broker_up() {
  cat >"$home/flashmq.conf" <<CONF
allow_anonymous true
storage_dir $home
log_file $logs/broker.log
thread_count 2
listen {
  protocol mqtt
  port $port
  inet_protocol ip4
  inet4_bind_address 127.0.0.1
}
CONF
  "$program" --config-file "$home/flashmq.conf" >>"$logs/broker.out" 2>&1 &
  broker=$!
}
