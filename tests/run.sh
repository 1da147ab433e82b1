#!/bin/bash
# Everything that can fail, in order, each part with its time; the last line is the sum. A part that reports no count has
# failed.
set -u
cd "$(dirname "$0")/.." || exit
# Root may open what its modes forbid, and the broker's user may not: so root does without that here.
ordinary=(setpriv --bounding-set=-dac_override,-dac_read_search)
if [ "$(id -u)" -eq 0 ] && [ -z "${ORDINARY:-}" ] && "${ordinary[@]}" test -w . 2> /dev/null; then
    ORDINARY=yes exec "${ordinary[@]}" "$BASH" tests/run.sh
fi
make=${MAKE:-make}
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
passed=0 failed=0 skipped=0 part_began=0

part_begin() { part_began=$(date +%s%N); echo "== $1"; }

# passed, failed and, where there are any, skipped: what this machine cannot do. That is a failure, too, unless ALLOW_SKIP=1.
part_end() {
    local skips=${3:-0}
    printf '   %s in %d ms\n' "$(counted "$1" "$2" "$skips")" $((($(date +%s%N) - part_began) / 1000000))
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + skips))
}

counted() {
    printf '%d passed, %d failed' "$1" "$2"
    [ "$3" -eq 0 ] || printf ', %d SKIPPED' "$3"
}

build() { "$make" --no-print-directory -j"$(nproc)" "$@" > "$log/build" 2>&1 || { cat "$log/build"; return 1; }; }

tidy() {
    part_begin tidy
    if "$make" --no-print-directory tidy; then part_end 1 0; else part_end 0 1; fi
}

# cmocka speaks TAP: `ok N - name` or `not ok N - name` a test. A program that ends badly or counts nothing has failed.
# $1 program, $2 where its counts go: how many are good, how many bad; what it said when it is not all good
unit_one() {
    local program=$1 to=$2 ok not_ok status
    CMOCKA_MESSAGE_OUTPUT=TAP timeout 300 "$program" > "$to.out" 2> "$to.err"
    status=$?
    ok=$(grep -c '^ok ' "$to.out") not_ok=$(grep -c '^not ok ' "$to.out")
    if [ $status -ne 0 ] && [ "$not_ok" -eq 0 ] || [ "$ok" -eq 0 ]; then not_ok=$((not_ok + 1)); fi
    if [ "$not_ok" -ne 0 ]; then
        echo "-- $program ended with $status"
        grep -A20 '^not ok ' "$to.out" || tail -20 "$to.out"
        tail -60 "$to.err"
    fi > "$to.said"
    echo "$ok $not_ok" > "$to.count"
}

# As many at a time as there are cores. $1 variant, then what else must compile.
unit() {
    local variant=$1 good bad
    shift
    part_begin "unit tests, $variant"
    if ! build "tests.$variant" "$@"; then part_end 0 1; return; fi
    rm -f "$log"/unit.*
    for source in tests/unit/test_*.c; do
        while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
        unit_one "build/$variant/${source%.c}" "$log/unit.$(basename "$source" .c)" &
    done
    wait
    cat "$log"/unit.*.said
    read -r good bad < <(cat "$log"/unit.*.count | awk '{g += $1; b += $2} END {print g + 0, b + 0}')
    part_end "$good" "$bad"
}

# $1 what a part is called, $2 the one program that it is, $3 how much of it
one_program() {
    part_begin "$1"
    if ! build "build/release/$2"; then part_end 0 1; return; fi
    if "build/release/$2" "$3" 2>&1; then part_end 1 0; else part_end 0 1; fi
}

# Images of what a power cut may leave; more of them with `make crash IMAGES=...`.
crash() { one_program "crash images" crash 20000; }

# One bit of a resting store, many times; more of them with `make flips FLIPS=...`.
flips() { one_program "flipped bits" flips 200; }

# Worlds drawn from a number each, in virtual time, and those of tests/sim/seeds.txt; every rare path must be taken by one
# of them. More with `make sim SEEDS=...`.
sim() {
    local good=0 bad=0
    part_begin "simulated worlds"
    if ! build build/release/sim; then part_end 0 1; return; fi
    build/release/sim --seed 36 --seeds 19 --steps 800 --file tests/sim/seeds.txt --jobs "$(nproc)" --reach often \
        > "$log/out" 2>&1 && good=1 || bad=1
    grep -E '^BROKEN|^NEVER|^smallest|^  again|^sim:' "$log/out"
    part_end $good $bad
}

# Random orders to the kernel alone; more with `make kernel STEPS=...`.
kernel() {
    local good=0 bad=0
    part_begin "steps of the kernel"
    if ! build build/release/tests/unit/test_decide_random; then part_end 0 1; return; fi
    "$make" --no-print-directory kernel > "$log/out" 2>&1 && good=1 || bad=1
    grep -E '^SEED|^steps|does not hold|never' "$log/out"
    part_end $good $bad
}

# Would all this notice? Three bugs that are found soon; all of them with `make mutants`.
mutants() {
    local found all
    part_begin "planted bugs"
    MAKE=$make tests/mutants/run.py --slice --jobs "$(nproc)" 2>&1 | tee "$log/out"
    read -r found all < <(sed -nE 's/^mutants: ([0-9]+) of ([0-9]+) found .*/\1 \2/p' "$log/out")
    part_end "${found:-0}" $((${all:-1} - ${found:-0}))
}

# What old clients and old journals know must still mean the same.
compat() {
    local good=0 bad=0
    part_begin "the protocol is what it was"
    if ! build generated; then part_end 0 1; return; fi
    if /usr/bin/python3 tests/compat/check_descriptor.py proto/whistle.v1.desc build/gen/whistle.desc; then
        good=$((good + 1))
    else
        bad=$((bad + 1))
    fi
    if /usr/bin/python3 -B tests/compat/test_check_descriptor.py > "$log/out" 2>&1; then
        good=$((good + 1))
    else
        cat "$log/out"
        bad=$((bad + 1))
    fi
    part_end $good $bad
}

# Foreign bytes, a little each time: every input that was kept, then FUZZ_SECONDS (10) of new ones a target.
fuzz() {
    local targets finds
    part_begin fuzzing
    if ! build fuzzers; then part_end 0 1; return; fi
    SECONDS_EACH=${FUZZ_SECONDS:-10} tests/fuzz/run.sh 2>&1 | tee "$log/out"
    read -r targets finds < <(sed -nE '$s/.* of ([0-9]+) targets in [0-9]+ s, ([0-9]+) finds/\1 \2/p' "$log/out")
    part_end $((${targets:-0} - ${finds:-0})) "${finds:-1}"
}

# The sum of what pytest's last line counts under these names.
pytest_count() { tail -1 "$log/out" | grep -oE "[0-9]+ ($1)" | awk '{n += $1} END {print n + 0}'; }

# A folder, by the system's Python, where deps.sh put the modules.
pytests() {
    local status good bad skips
    PYTHONPATH=build/gen PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider "$@" 2>&1 |
        tee "$log/out"
    status=${PIPESTATUS[0]}
    good=$(pytest_count passed) bad=$(pytest_count 'failed|errors?|xfailed') skips=$(pytest_count skipped)
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ] || [ $((good + skips)) -eq 0 ]; then bad=$((bad + 1)); fi
    part_end "$good" "$bad" "$skips"
}

# The programs are tested as they are installed.
blackbox() {
    part_begin "black-box tests"
    if ! build all generated; then part_end 0 1; return; fi
    pytests tests/blackbox
}

# The power is cut of a real broker, and its disk is slow; more of both with `make power CUTS=...` and `make shed`.
power() {
    part_begin "power cuts, slow disks"
    if ! build all generated build/release/forgetful build/release/bench/{load,fired}; then part_end 0 1; return; fi
    pytests -s tests/power
}

tidy
compat
unit release objects
unit asan
crash
flips
sim
kernel
mutants
fuzz
blackbox
power
echo "$(counted "$passed" "$failed" "$skipped")"
[ "$failed" -eq 0 ] && { [ "$skipped" -eq 0 ] || [ "${ALLOW_SKIP:-}" = 1 ]; }
