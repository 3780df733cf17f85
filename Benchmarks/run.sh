#!/bin/sh
# Benchmarks of mqtt-fs-worker. Results as Markdown and SVG go to Benchmarks/results/.
#
#   Benchmarks/run.sh [files] [OPTION...]    copying, comparing and removing trees of files
#   Benchmarks/run.sh cycle [OPTION...]      one job from end to end, queues of them, waiting, and logs
#   Benchmarks/run.sh fleet [OPTION...]      200 workers that wait: what they cost, and whether they are all seen
#   Benchmarks/run.sh calls [OPTION...]      what fleets of 50 to 1,000 workers that wait ask of a volume
#   Benchmarks/run.sh losses [OPTION...]     1,000 workers, of which 100 are killed in a job
#   Benchmarks/run.sh growth [OPTION...]     what a job costs as volumes, queues and fleets grow
#   Benchmarks/run.sh readme                 makes the table of docs/performance.md from the results
#
# --help lists the options of each. Needs: the Swift toolchain with its clang, and python3; for files, rsync and tar for
# comparison, and libfuse3-dev for the slow volume; for the others, mosquitto and mosquitto-clients.
set -eu
cd "$(dirname "$0")/.."
# mosquitto lies in /usr/sbin, which is not in everybody's PATH.
PATH=$PATH:/usr/sbin
export PATH

kind=files
case "${1:-}" in
  files | cycle | fleet | calls | losses | growth) kind=$1; shift ;;
  readme) exec python3 Benchmarks/common/readme.py Benchmarks/results docs/performance.md ;;
  '' | -*) ;;
  *) sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac

built=.build/benchmarks
mkdir -p "$built"
compile() { clang -O2 -Wall -Wextra "$@"; }
product() {
  swift build -c release --static-swift-stdlib --toolset toolset.json --product "$1" --disable-local-rpath
  # What is measured is what is installed: without symbols.
  strip -o "$built/$1" "$(swift build -c release --static-swift-stdlib --toolset toolset.json --show-bin-path)/$1"
}

compile Benchmarks/files/measure.c -o "$built/measure"
case $kind in
  files)
    compile -pthread Benchmarks/files/floor.c -o "$built/floor"
    if pkg-config --exists fuse3 2>/dev/null; then
      # shellcheck disable=SC2046
      compile Benchmarks/files/slowfs.c $(pkg-config --cflags --libs fuse3) -o "$built/slowfs"
    fi
    product filetree-bench
    ;;
  fleet | calls | losses) product mqtt-fs-worker ;;
  *)
    compile -static Benchmarks/cycle/stamp.c -o "$built/stamp"
    compile Benchmarks/cycle/writer.c -o "$built/writer"
    product mqtt-fs-worker
    ;;
esac
script=Benchmarks/$kind/benchmark.py
case $kind in calls | losses) script=Benchmarks/fleet/$kind.py ;; esac
PYTHONPATH=Benchmarks/common exec python3 "$script" --programs "$built" --results Benchmarks/results "$@"
