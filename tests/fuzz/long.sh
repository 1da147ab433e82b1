#!/bin/bash
# long.sh TARGET...: lets AFL++ run SECONDS_EACH seconds a target, JOBS targets at a time, from the kept corpus and what
# libFuzzer has found. What it finds stays in build/fuzz/finds; the last line is the sum; a find makes the exit status 1.
set -u
cd "$(dirname "$0")/../.." || exit
each=${SECONDS_EACH:-600}
for target; do
    [ -x "build/afl/tests/fuzz/fuzz_$target" ] || { echo "fuzz: no target is called $target" >&2; exit 2; }
done
. tests/fuzz/targets.sh
export AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_FAST_CAL=1
export ASAN_OPTIONS=abort_on_error=1:symbolize=0:detect_leaks=0

stat() { sed -n "s/^$2 *: *//p" "$scratch/out/$1/default/fuzzer_stats" 2> /dev/null; }

fuzz() {
    local target=$1 in=$scratch/in/$1 status found=0
    mkdir -p "$in" "$scratch/out/$1"
    find "tests/fuzz/corpus/$target" "build/fuzz/corpus/$target" -type f -size -4096c -exec cp -t "$in" {} + 2> /dev/null
    tests/fuzz/words.sh "$target" > "$scratch/$target.dict"
    local dictionary=()
    [ ! -s "$scratch/$target.dict" ] || dictionary=(-x "$scratch/$target.dict")
    nice -n 19 afl-fuzz -i "$in" -o "$scratch/out/$target" -V "$each" -t 20000 -m none "${dictionary[@]}" \
        -- "build/afl/tests/fuzz/fuzz_$target" > "$scratch/$target.log" 2>&1
    status=$?
    for find in "$scratch/out/$target"/default/{crashes,hangs}/id:*; do
        [ -f "$find" ] || continue
        found=$((found + 1))
        cp "$find" "$finds/$target-afl-$(sha1sum < "$find" | cut -c1-40)"
    done
    if [ -z "$(stat "$target" execs_done)" ]; then tail -20 "$scratch/$target.log"; found=1; fi
    printf '   %-10s %9d executions %9s/s %5d in the corpus %5d ways taken, %2d finds%s\n' "$target" \
        "$(stat "$target" execs_done)" "$(stat "$target" execs_per_sec)" "$(stat "$target" corpus_count)" \
        "$(stat "$target" edges_found)" $found "$([ $status -eq 0 ] || echo " (afl-fuzz ended with $status)")"
    echo "$(stat "$target" execs_done | grep . || echo 0) $found" > "$scratch/$target.sum"
    [ $found -eq 0 ] || echo "-- repeat them: TMPDIR=/dev/shm build/fuzz/tests/fuzz/fuzz_$target $finds/$target-afl-*"
}

fuzz_each "$@"
