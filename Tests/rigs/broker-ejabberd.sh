# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/brokers.sh, which sets home, logs and port
# ejabberd with mod_mqtt, Debian's: started by its own Erlang modules, since ejabberdctl knows one place only, and one user.
# Its anonymous clients need a name.
account=brokers
libraries=$(find /usr/lib -maxdepth 3 -type d -path '*/ejabberd-[0-9]*/ebin' 2>/dev/null | tail -1)

broker_is_there() { [ -n "$libraries" ] && [ -x "$(command -v erl)" ]; }

broker_version() { echo "ejabberd $(sed -n 's/.*{vsn, *"\([^"]*\)".*/\1/p' "$libraries/ejabberd.app" | head -1)"; }

broker_up() {
  # Its sessions lie in memory. What waits in one is bounded by max_queue, and so is how long it is kept by session_expiry.
  cat >"$home/ejabberd.yml" <<CONF
hosts: [localhost]
loglevel: info
auth_method: [anonymous]
allow_multiple_connections: true
anonymous_protocol: login_anon
listen: [{ port: $port, ip: "127.0.0.1", module: mod_mqtt, backlog: 1000 }]
modules: { mod_mqtt: { max_queue: 5000, session_expiry: 7 days } }
CONF
  # Without a node name: no port mapper, and nothing that listens but the broker.
  # Core files of its database come into the working directory.
  env --chdir="$home" HOME="$home" EJABBERD_CONFIG_PATH="$home/ejabberd.yml" EJABBERD_LOG_PATH="$logs/broker.log" ERL_CRASH_DUMP=/dev/null \
    ERL_LIBS="$(dirname "$(dirname "$libraries")")" \
    erl -noinput -mnesia dir "\"$home/data\"" -s ejabberd >>"$logs/broker.out" 2>&1 &
  broker=$!
}
