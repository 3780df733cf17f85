# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/brokers.sh, which sets home, logs and port
# RabbitMQ with its MQTT plugin: RABBITMQ names the folder with rabbitmq-server of an installation, else Debian's.
folder=${RABBITMQ:-$(find /usr/lib/rabbitmq/lib -maxdepth 2 -name sbin 2>/dev/null | tail -1)}

broker_is_there() { [ -x "$folder/rabbitmq-server" ] && [ -x "$(command -v epmd)" ]; }

broker_version() { echo "RabbitMQ $(basename "$(find "$folder/../plugins" -name "rabbit-[0-9]*")" .ez)" | sed "s/rabbit-//"; }

broker_up() {
  # A port mapper of its own, in the foreground: one that Erlang starts by itself would outlive the broker.
  [ -n "${mapper:-}" ] || {
    mapper_port=$(free_port)
    nodes_port=$(free_port)
    epmd -address 127.0.0.1 -port "$mapper_port" >>"$logs/epmd.log" 2>&1 &
    mapper=$!
    helpers+=("$mapper")
  }
  echo '[rabbitmq_mqtt].' >"$home/enabled_plugins"
  cat >"$home/rabbitmq.conf" <<CONF
listeners.tcp = none
mqtt.listeners.tcp.1 = 127.0.0.1:$port
mqtt.allow_anonymous = true
CONF
  # RUNNING_UNDER_SYSTEMD has the script become the broker, so that its pid is the broker's. HOME has the cookie.
  env --chdir="$home" HOME="$home" ERL_EPMD_PORT="$mapper_port" ERL_EPMD_ADDRESS=127.0.0.1 RUNNING_UNDER_SYSTEMD=yes \
    RABBITMQ_NODENAME=brokers@localhost RABBITMQ_DIST_PORT="$nodes_port" RABBITMQ_CONF_ENV_FILE=/dev/null \
    RABBITMQ_CONFIG_FILE="$home/rabbitmq.conf" RABBITMQ_ENABLED_PLUGINS_FILE="$home/enabled_plugins" \
    RABBITMQ_MNESIA_BASE="$home/data" RABBITMQ_LOG_BASE="$logs" RABBITMQ_PID_FILE="$home/pid" \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}" \
    "$folder/rabbitmq-server" >>"$logs/broker.log" 2>&1 &
  broker=$!
}
