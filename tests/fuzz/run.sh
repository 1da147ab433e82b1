#!/bin/bash
# run.sh [TARGET]...: replays each target's corpus, then lets libFuzzer run for SECONDS_EACH seconds (0: only replays),
# JOBS targets at a time. What it has found so far grows in build/fuzz/corpus and is gone with `make clean`; an input
# that breaks something stays in build/fuzz/finds. The last line is the sum; a find makes the exit status 1.
set -u
cd "$(dirname "$0")/../.." || exit
each=${SECONDS_EACH:-20}
all=() targets=("$@")
for source in tests/fuzz/fuzz_*.c; do
    source=${source##*/fuzz_}
    all+=("${source%.c}")
done
[ $# -gt 0 ] || targets=("${all[@]}")
for target in "${targets[@]}"; do
    [[ " ${all[*]} " = *" $target "* ]] || { echo "fuzz: no target is called $target; there are: ${all[*]}" >&2; exit 2; }
done
. tests/fuzz/targets.sh

# The n-th figure of libFuzzer's lines `#RUNS WORD cov: N ft: N corp: N/..`: of the first INITED, or of the last of all.
figure() { sed -nE "s/^#([0-9]+)\s+$2 +cov: ([0-9]+) ft: [0-9]+ corp: ([0-9]+).*/\\$3/p" "$1" | $4 -1; }

# One target: its line, and what it adds to the sum.
fuzz() {
    local target=$1 program=build/fuzz/tests/fuzz/fuzz_$1 own=build/fuzz/corpus/$1 kept=tests/fuzz/corpus/$1
    local log=$scratch/$1.log status find units replayed before after corpus rate
    local options=(-timeout=20 -rss_limit_mb=3000 -artifact_prefix=$finds/"$1"- -print_final_stats=1 -reload=0)
    mkdir -p "$own" "$kept"
    if [ "$each" -gt 0 ]; then
        tests/fuzz/words.sh "$target" > "$scratch/$1.dict"
        options+=(-max_total_time="$each" -max_len=4096)
        [ ! -s "$scratch/$1.dict" ] || options+=(-dict="$scratch/$1.dict")
    else
        options+=(-runs=0)
    fi
    nice -n 19 "$program" "${options[@]}" "$own" "$kept" > "$log" 2>&1
    status=$?
    units=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
    replayed=$(figure "$log" INITED 1 head) before=$(figure "$log" INITED 2 head)
    after=$(figure "$log" '[A-Z]+' 2 tail) corpus=$(figure "$log" '[A-Z]+' 3 tail)
    echo "${units:-0} $((status != 0))" > "$scratch/$1.sum"
    printf '   %-10s %6d replayed %9d executions %7d/s %5d in the corpus %5d points reached, %+d %2d finds\n' "$target" \
        "${replayed:-0}" "${units:-0}" "${rate:-0}" "${corpus:-0}" "${after:-0}" "$((${after:-0} - ${before:-0}))" \
        $((status != 0))
    [ $status -eq 0 ] && return
    tail -n 40 "$log"
    find=$(sed -n 's/.*Test unit written to //p' "$log" | head -1)
    echo "-- fuzz_$target ended with $status; repeat it: TMPDIR=/dev/shm $program ${find:-$kept/*}"
}

fuzz_each "${targets[@]}"
