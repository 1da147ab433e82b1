#!/bin/sh
# make bench: the broker against the skeleton and against what an office would use otherwise, in interleaved rounds, as a
# table of ratios; then, unless FAST=1, how it grows (scale.sh). What it means: README.md.
#
#   ROUNDS=3 SECONDS=3        how often, how long each run
#   DATA=build/bench-data     where the stores lie: on the disk that is meant, not in memory
#   SHAPES="4x1 4x64 64x64"   publishers x window
#   PEERS="postgres redis"    beside whom; PEERS= nobody, and nothing is installed for them
#   PARTS=yes                 also the parts by themselves: puts, appends
#   FAST=1                    not what bench/scale.sh shows
# Ends with status 1 when a target is missed.
set -eu
cd "$(dirname "$0")/.."
rounds=${ROUNDS:-3} seconds=${SECONDS:-3} data=${DATA:-$PWD/build/bench-data} shapes=${SHAPES:-4x1 4x64 64x64}
peers=${PEERS-postgres redis} results=build/bench-results.jsonl
. bench/servers.sh
trap clean EXIT
trap 'exit 130' INT TERM

# $1 system, $2 shape, $3 round
measure() {
    prepare
    "start_$1"
    # shellcheck disable=SC2046  # a list of words
    "$tools/load" $(reach "$1") --publishers "${2%x*}" --window "${2#*x}" --seconds "$seconds" --seed "$3" \
        --pid "$server" --system "$1" >> "$results" || { cat "$data/log" >&2; die "$1 at $2: the run does not count"; }
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
    prepare
    mkdir -p "$data/puts" "$data/appends"
    echo
    echo "puts"
    "$tools/db_puts" "$data/puts" 100000
    echo
    echo "appends"
    "$tools/journal_appends" "$data/appends" 2
}

[ -x "$bin/whistled" ] && [ -x "$tools/skeleton" ] && [ -x "$tools/load" ] || die "make bench builds what this runs"
[ -z "$peers" ] || ./deps.sh bench
mkdir -p build
: > "$results"
describe
round=1
while [ $round -le "$rounds" ]; do
    for shape in $shapes; do
        for system in skeleton broker $peers; do measure "$system" "$shape" $round; done
    done
    if [ -x "$bin/whistle-worker" ]; then measure worker 64x64 $round; fi
    round=$((round + 1))
done
echo >&2
[ -z "${PARTS:-}" ] || parts
[ -x "$bin/whistle-worker" ] || echo "without a desk: there is no $bin/whistle-worker"
status=0
awk -f bench/table.awk "$results" || status=1
[ -n "${FAST:-}" ] || bench/scale.sh || status=1
exit $status
