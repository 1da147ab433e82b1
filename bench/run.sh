#!/bin/sh
# make bench: the broker against the skeleton, in interleaved rounds, as a table of ratios. What it means: README.md.
#
#   ROUNDS=3 SECONDS=3        how often, how long each run
#   DATA=build/bench-data     where the stores lie: on the disk that is meant, not in memory
#   SHAPES="4x1 4x64 64x64"   publishers x window
#   PARTS=yes                 also the parts by themselves: puts, appends
# Ends with status 1 when a target is missed.
set -eu
cd "$(dirname "$0")/.."
rounds=${ROUNDS:-3} seconds=${SECONDS:-3} data=${DATA:-$PWD/build/bench-data} shapes=${SHAPES:-4x1 4x64 64x64}
bin=build/release/bin tools=build/release/bench results=build/bench-results.jsonl
server= worker=

stop() {
    for pid in $worker $server; do
        kill "$pid" 2> /dev/null || true
        wait "$pid" 2> /dev/null || true
    done
    server= worker=
}
clean() { stop; rm -rf "$data"; }
trap clean EXIT
trap 'exit 130' INT TERM

die() { echo "bench: $1" >&2; exit 1; }

# $1 file, $2 what it says when the program in it serves
await() {
    tries=0
    until grep -q "$2" "$1"; do
        tries=$((tries + 1))
        [ $tries -le 200 ] || { cat "$1" >&2; die "$1: no start in 20 s"; }
        sleep 0.1
    done
}

# Each run has a store of its own, and begins when the broker has prepared what it keeps ahead.
start_skeleton() {
    "$tools/skeleton" --endpoint "ipc://$data/front" --dir "$data" > "$data/log" 2>&1 & server=$!
    await "$data/log" ready
    sleep 1
}
start_broker() {
    "$bin/whistled" --data "$data/store" --config config/qindu --front "ipc://$data/front" --pool "ipc://$data/pool" \
        --feed "ipc://$data/feed" > "$data/log" 2>&1 & server=$!
    await "$data/log" whistled.ready
    tries=0
    while [ "$(find "$data/store/journal" -name '*.seg' | wc -l)" -lt 3 ] && [ $tries -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    sleep 1
}
start_worker() {
    start_broker
    "$bin/whistle-worker" --level community --divisions 610402 --pool "ipc://$data/pool" \
        > "$data/worker.log" 2>&1 & worker=$!
    sleep 1
}

# $1 system, $2 shape, $3 round
measure() {
    rm -rf "$data"
    mkdir -p "$data"
    "start_$1"
    "$tools/load" --endpoint "ipc://$data/front" --publishers "${2%x*}" --window "${2#*x}" --seconds "$seconds" \
        --seed "$3" --pid "$server" --system "$1" $([ "$1" != worker ] || echo --status) >> "$results" ||
        { cat "$data/log" >&2; die "$1 at $2: the run does not count"; }
    stop
    printf '.' >&2
}

describe() {
    mkdir -p "$data"
    model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)
    memory=$(awk '/^MemTotal/{printf "%.0f GiB", $2 / 1048576}' /proc/meminfo)
    echo "machine  $(nproc) cores, ${model:-$(uname -m)}, $memory, Linux $(uname -r)"
    echo "disk     $(df --output=fstype,source "$data" | tail -1 | tr -s ' '), 4 KiB overwritten and synced:" \
        "$("$tools/disk_syncs" "$data" 1)"
    echo "rounds   $rounds of $seconds s, interleaved; load at start: $(cut -d' ' -f1 /proc/loadavg)"
    case $(df --output=fstype "$data" | tail -1) in
    tmpfs) echo "WARNING  $data is memory, not a disk: these figures mean nothing" ;;
    esac
}

parts() {
    rm -rf "$data"
    mkdir -p "$data/puts" "$data/appends"
    echo
    echo "puts"
    "$tools/db_puts" "$data/puts" 100000
    echo
    echo "appends"
    "$tools/journal_appends" "$data/appends" 2
}

[ -x "$bin/whistled" ] && [ -x "$tools/skeleton" ] && [ -x "$tools/load" ] || die "make bench builds what this runs"
mkdir -p build
: > "$results"
describe
round=1
while [ $round -le "$rounds" ]; do
    for shape in $shapes; do
        measure skeleton "$shape" $round
        measure broker "$shape" $round
    done
    if [ -x "$bin/whistle-worker" ]; then measure worker 64x64 $round; fi
    round=$((round + 1))
done
echo >&2
[ -z "${PARTS:-}" ] || parts
[ -x "$bin/whistle-worker" ] || echo "without a desk: there is no $bin/whistle-worker"
awk -f bench/table.awk "$results"
