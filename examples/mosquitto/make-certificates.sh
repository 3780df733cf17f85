#!/bin/sh
# Makes a private CA, a certificate for the broker, and one for each account, all in FOLDER:
#
#   make-certificates.sh FOLDER HOST...      HOST: every name and address under which clients reach the broker
#
# Run again, it keeps the CA and renews the rest. Accounts: ACCOUNTS="worker controller observer". Certificates are valid
# for DAYS=825 days, the CA for CA_DAYS=3650. Needs openssl 3.
set -eu

if [ $# -lt 2 ]; then
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 64
fi
folder=$1
shift
: "${DAYS:=825}" "${CA_DAYS:=3650}" "${ACCOUNTS:=worker controller observer}"

umask 077
mkdir -p "$folder"
cd "$folder"

names=
for host in "$@"; do
  case $host in
    *:*) kind=IP ;;
    *[!0-9.]*) kind=DNS ;;
    *) kind=IP ;;
  esac
  names=${names:+$names,}$kind:$host
done

# key NAME: a private key without a passphrase, because nobody is there to type one.
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

# certificate NAME USE [EXTENSION]: signed by the CA, for USE (serverAuth or clientAuth).
certificate() {
  key "$1"
  openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
  {
    echo 'basicConstraints = critical, CA:FALSE'
    echo 'keyUsage = critical, digitalSignature'
    echo "extendedKeyUsage = $2"
    if [ $# -gt 2 ]; then echo "$3"; fi
  } >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -set_serial "0x$(openssl rand -hex 16)" \
    -days "$DAYS" -extfile "$1.ext" -out "$1.crt" 2>/dev/null
  rm "$1.csr" "$1.ext"
}

if [ ! -e ca.key ]; then
  key ca
  openssl req -x509 -new -key ca.key -subj "/CN=mqtt-fs-worker CA" -days "$CA_DAYS" -out ca.crt \
    -addext 'basicConstraints = critical, CA:TRUE' -addext 'keyUsage = critical, keyCertSign, cRLSign'
fi
certificate server serverAuth "subjectAltName = $names"
for account in $ACCOUNTS; do certificate "$account" clientAuth; done
chmod 644 ./*.crt
