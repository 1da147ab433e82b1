#!/bin/bash
# run.sh [TARGET]...: replays each target's corpus, then lets libFuzzer run for SECONDS_EACH seconds (0: only replays).
# What it has found so far grows in build/fuzz/corpus and is gone with `make clean`; an input that breaks something
# stays in build/fuzz/finds. The last line is the sum; a find makes the exit status 1.
set -u
cd "$(dirname "$0")/../.." || exit
each=${SECONDS_EACH:-20}
scratch=$(mktemp -d /dev/shm/whistle-fuzz-XXXXXX) || exit
export TMPDIR=$scratch
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
finds=build/fuzz/finds
options=(-timeout=20 -rss_limit_mb=3000 -artifact_prefix=$finds/ -print_final_stats=1 -verbosity=0)
mkdir -p $finds
executed=0 found=0

# Runs one target and adds up what it did; a find is shown with how to repeat it.
run() {
    local target=$1 program=build/fuzz/tests/fuzz/fuzz_$1 find log=$scratch/log
    shift
    nice -n 19 "$program" "${options[@]}" "$@" > "$log" 2>&1
    local status=$?
    units=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    units=${units:-0}
    executed=$((executed + units))
    [ $status -eq 0 ] && return 0
    found=$((found + 1))
    tail -n 40 "$log"
    find=$(sed -n 's/.*Test unit written to //p' "$log" | head -1)
    echo "-- fuzz_$target ended with $status; repeat it: TMPDIR=/dev/shm $program ${find:-$*}"
    return 1
}

fuzz() {
    local target=$1 own=build/fuzz/corpus/$1 kept=tests/fuzz/corpus/$1 dictionary=tests/fuzz/$1.dict
    local more=() replayed began
    began=$(date +%s%N)
    mkdir -p "$own"
    run "$target" -runs=0 "$kept" || return
    replayed=$units
    units=0
    [ -f "$dictionary" ] && more=(-dict="$dictionary")
    if [ "$each" -gt 0 ]; then
        run "$target" -max_total_time="$each" -max_len=4096 -reload=0 "${more[@]}" "$own" "$kept" || return
    fi
    printf '   %-10s %4d of the corpus replayed, %9d executions in %6d ms\n' "$target" "$replayed" "$units" \
        $((($(date +%s%N) - began) / 1000000))
}

targets=("$@")
[ $# -gt 0 ] || for source in tests/fuzz/fuzz_*.c; do
    source=${source##*/fuzz_}
    targets+=("${source%.c}")
done
for target in "${targets[@]}"; do fuzz "$target"; done
echo "fuzz: $executed executions of ${#targets[@]} targets, $found finds"
[ $found -eq 0 ]
