#!/bin/sh
# Makes certificates and passwords for the profile `tls` of compose.yaml, sorted by who may have them:
#
#   secrets.sh FOLDER [HOST...]     HOST: further names under which clients reach the broker
#
# FOLDER/broker, FOLDER/worker, FOLDER/controller, FOLDER/observer; FOLDER/ca is for nobody. Run as root it gives the
# broker's to user 1883, the workers' to user 10001, as the containers run with. Needs openssl and mosquitto_passwd.
set -eu

if [ $# -lt 1 ]; then
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 64
fi
mosquitto=$(cd "$(dirname "$0")/../mosquitto" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
PATH=$PATH:/usr/bin:/usr/sbin
"$mosquitto/make-certificates.sh" "$folder/ca" broker-tls localhost "$@"
"$mosquitto/make-accounts.sh" "$folder/ca/accounts"

umask 077
mkdir -p "$folder/broker/certs" "$folder/broker/config"
cp "$folder/ca/ca.crt" "$folder/ca/server.crt" "$folder/ca/server.key" "$folder/broker/certs"
cp "$mosquitto/mosquitto.conf" "$mosquitto/acl" "$folder/ca/accounts/passwords" "$folder/broker/config"
for account in worker controller observer; do
  mkdir -p "$folder/$account"
  cp "$folder/ca/ca.crt" "$folder/ca/$account.crt" "$folder/ca/$account.key" "$folder/ca/accounts/$account.password" \
    "$folder/$account"
done
if [ "$(id -u)" = 0 ]; then
  chown -R 1883:1883 "$folder/broker"
  chown -R 10001:10001 "$folder/worker"
fi
