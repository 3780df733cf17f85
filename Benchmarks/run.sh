#!/bin/sh
# Benchmarks of mqtt-fs-worker. Results as Markdown and SVG go to Benchmarks/results/.
#
#   Benchmarks/run.sh [files] [OPTION...]    copying, comparing and removing trees of files; --help lists the options
#
# Needs: the Swift toolchain with its clang, python3, and for comparison rsync and tar; libfuse3-dev for the slow volume.
set -eu
cd "$(dirname "$0")/.."

case "${1:-files}" in
  files) [ $# -eq 0 ] || shift ;;
  -*) ;;
  *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac

built=.build/benchmarks
mkdir -p "$built"
for program in floor measure; do
  clang -O2 -Wall -Wextra -pthread "Benchmarks/files/$program.c" -o "$built/$program"
done
if pkg-config --exists fuse3 2>/dev/null; then
  # shellcheck disable=SC2046
  clang -O2 -Wall -Wextra Benchmarks/files/slowfs.c $(pkg-config --cflags --libs fuse3) -o "$built/slowfs"
fi
swift build -c release --static-swift-stdlib --product filetree-bench
cp "$(swift build -c release --show-bin-path)/filetree-bench" "$built/"
exec python3 Benchmarks/files/benchmark.py --programs "$built" --results Benchmarks/results "$@"
