# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/brokers.sh, which sets home, logs and port
# NATS with its MQTT listener, which needs JetStream: NATS names the executable, the installed one otherwise.
program=${NATS:-$(command -v nats-server || true)}

broker_is_there() { [ -x "$program" ]; }

broker_version() { "$program" --version | sed 's/.*v\([0-9]\)/NATS \1/'; }

broker_up() {
  # MQTT needs a name of the server. What is not acknowledged is sent again after ack_wait only, 30 s by default, whatever happens to
  # the connection; so a worker that left requests unread would get one each 30 s. The port of its own protocol is a free one.
  cat >"$home/nats.conf" <<CONF
server_name: brokers
listen: "127.0.0.1:-1"
jetstream { store_dir: "$home" }
mqtt { listen: "127.0.0.1:$port", ack_wait: "1s" }
CONF
  "$program" -c "$home/nats.conf" >>"$logs/broker.log" 2>&1 &
  broker=$!
}
