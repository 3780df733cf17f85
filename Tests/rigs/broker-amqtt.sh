# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/brokers.sh, which sets home, logs and port
# amqtt, a broker in Python: AMQTT names its command `amqtt`, the installed one otherwise. It keeps sessions in memory.
program=${AMQTT:-$(command -v amqtt || true)}

broker_is_there() { [ -x "$program" ]; }

broker_version() { echo "amqtt $("$program" --version)" | sed 's/amqtt amqtt/amqtt/'; }

broker_up() {
  cat >"$home/amqtt.yaml" <<CONF
listeners:
  default:
    type: tcp
    bind: 127.0.0.1:$port
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin:
    allow_anonymous: true
CONF
  "$program" -c "$home/amqtt.yaml" >>"$logs/broker.log" 2>&1 &
  broker=$!
}
