#!/bin/sh
# Builds the tests and runs them; arguments go to `swift test`, as in: Tests/run.sh --filter EndToEndTests
set -eu

cd "$(dirname "$0")/.."
# mosquitto lies in /usr/sbin, which is not in everybody's PATH.
PATH=$PATH:/usr/sbin:/sbin
export PATH

.ci/install-packages pkg-config libmosquitto-dev libssl-dev libcurl4-openssl-dev mosquitto mosquitto-clients openssl strace iproute2 iptables faketime e2fsprogs python3-jwt python3-cryptography
# These are for tests of what is made for them, which are left out without.
.ci/install-packages zsh fish mandoc dpkg-dev prometheus-mqtt-exporter ||
  echo "without zsh, fish, mandoc, dpkg-dev and prometheus-mqtt-exporter some tests are left out" >&2
.ci/python-packages >/dev/null || echo "without packages from PyPI some tests of examples are left out" >&2
swift build --build-tests
exec swift test --skip-build --parallel "$@"
