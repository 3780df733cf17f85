#!/bin/sh
# Makes accounts with random passwords in FOLDER:
#
#   make-accounts.sh FOLDER [ACCOUNT...]     default: worker controller observer
#
# FOLDER/passwords is for the broker, which keeps hashes only. FOLDER/ACCOUNT.password is for the client: give it to
# --password-file. Run again, it makes new passwords for these accounts and keeps the others. Needs mosquitto_passwd and
# openssl.
set -eu

if [ $# -lt 1 ]; then
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
  exit 64
fi
folder=$1
shift
if [ $# -eq 0 ]; then set -- worker controller observer; fi

umask 077
mkdir -p "$folder"
cd "$folder"
touch passwords
for account in "$@"; do
  openssl rand -hex 24 >"$account.password"
  # Hashed in a file of its own: mosquitto_passwd would take a password only from a terminal or its arguments, which
  # others can see.
  printf '%s:%s\n' "$account" "$(cat "$account.password")" >"$account.new"
  mosquitto_passwd -U "$account.new"
  { grep -v "^$account:" passwords || true; cat "$account.new"; } >passwords.new
  mv passwords.new passwords
  rm "$account.new"
done
