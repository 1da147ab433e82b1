#!/bin/bash
# make prove: every promise tried for up to an hour on 2 cores, and the table of docs/reliability.md as measured.
#
#   TIMES=10                  how many times as long the parts that can be longer are
#   PARTS="sim power"         only those, by the first word of their names; one that is no part's is a failure
# A part that fails says so in the table, its words stand above it, and the end is status 1.
set -u
cd "$(dirname "$0")/.." || exit
make="${MAKE:-make} --no-print-directory" times=${TIMES:-1} log=$(mktemp -d) failed=0
trap 'rm -rf "$log"' EXIT
table=$log/table names=
: > "$log/table"
unset MAKEFLAGS MAKELEVEL

# $1 name, $2 aim, $3 which of its lines are its figures, then the command
part() {
    local name=$1 aim=$2 figures=$3 began status figure=
    shift 3
    names="$names ${name%%[^a-z]*}"
    [[ -z ${PARTS:-} || " $PARTS " == *" ${name%%[^a-z]*} "* ]] || return 0
    began=$(date +%s)
    echo "== $name: $*"
    "$@" > "$log/out" 2>&1
    status=$?
    figure=$(grep -E "$figures" "$log/out" | tail -5 | tr -s ' ' | paste -sd';' | sed 's/;/; /g')
    if [ $status -ne 0 ] || [ -z "$figure" ]; then
        tail -40 "$log/out"
        failed=$((failed + 1)) figure="FAILED ($status) ${figure:-said no figure}"
    fi
    printf '   %s\n   %d s\n' "$figure" $(($(date +%s) - began))
    printf '| %s | %s | %s | %d s |\n' "$name" "$aim" "$figure" $(($(date +%s) - began)) >> "$table"
}

# $1 rows of bench/scale.sh
scale() { ROWS="$1" $make bench-scale; }

export SEED=${SEED:-1}
$make -j"$(nproc)" all generated > "$log/build" 2>&1 || { cat "$log/build"; exit 1; }
part "kernel, random orders, every law" ">= 100 million steps" '^steps' $make kernel STEPS=$((100000000 * times))
part "sim: drawn worlds" ">= 1 year, nothing broken" '^sim: worlds' \
    $make sim SEEDS=$((150 * times)) STEPS=2000 REACH=all
part "kills of a real broker under load" "500, 0 lost, 0 doubled" ' kills, ' \
    env KILLS=$((500 * times)) PYTHONPATH=build/gen \
    /usr/bin/python3 -B -m pytest -q -s -p no:cacheprovider tests/blackbox/test_kill.py
part "power cuts of a real broker" "300, 0 lost, 0 doubled" ' cuts, ' $make power CUTS=$((300 * times))
part "images of power cuts" "200,000, none bad" '^crash images' $make crash IMAGES=$((200000 * times))
part "flips of single bits" "1,000, none served" '^(journal|tables|key slots) ' $make flips FLIPS=$((1000 * times))
part "fuzzing" "15 targets x 20 s, 0 finds" '^fuzz:' $make fuzz SECONDS=$((20 * times))
part "faults: memory and disk say no" "every call, nothing lost" 'passed' $make faults N=60
part "mutants: planted bugs" "all found" '^mutants:' $make mutants
part "coverage of kernel and store" "100 % lines, 95 % branches" '^(lines|branches):' $make coverage
part "count of instructions to the merge base" "kernel +1 %, broker +3 %" 'kernel|broker' $make count
part "restart after kill -9 at 10^6 open cases" "<= 2 s" 'kill -9' scale restart
part "due at a start" ">= 20,000/s, in order, p99 of new reports <= 100 ms" 'fired a second|out of|meanwhile' scale due
part "shed: ten times too much, syncs of 5 ms" "p99 <= 2 x, BUSY <= 50 ms, deadlines within 1 s" '^(at capacity|let in|told|deadlines|as ever)' \
    $make shed SECONDS=60
part "soak: weeks of a district" "nothing grows" '^soak:|weeks' $make soak MINUTES=$((5 * times))
for wanted in ${PARTS:-}; do
    [[ "$names " == *" $wanted "* ]] || { echo "prove: no part is called $wanted; there are:$names" >&2; failed=$((failed + 1)); }
done

echo
echo "$(git rev-parse --short HEAD 2> /dev/null), $(date -u +%F), $(nproc) cores, $SECONDS s"
echo "| what | aim | measured | took |"
echo "|---|---|---|---|"
cat "$table"
[ $failed -eq 0 ]
