#!/bin/sh
# The board in a real Chromium: takes the pictures of docs/board.md, measures it, and shows it hostile jobs. Not part of .ci/run.
# Usage: Tests/board.sh [EXECUTABLE]; without one a release is built.
set -eu

cd "$(dirname "$0")/.."
.ci/install-packages chromium fonts-dejavu-core python3
executable=${1-}
if [ -z "$executable" ]; then
  .ci/install-packages libmosquitto-dev libssl-dev libcurl4-openssl-dev
  set -- -c release --static-swift-stdlib --toolset toolset.json --disable-local-rpath
  swift build "$@" --product mqtt-fs-board
  executable=$(swift build "$@" --show-bin-path)/mqtt-fs-board
fi
exec python3 Tests/board/board.py "$executable" docs/pictures
