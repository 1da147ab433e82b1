#!/bin/bash
# Instructions a step, by callgrind: of the tree as it stands and of a base, in one run, at the same work. Time says as
# much about the machine as about the program; instructions are the same on a busy one.
#
#   BASE=<commit>        compared with; else the merge base with origin/main; where that is what stands here, its parent
#
# Both do the work of this tree's workloads: the base is built with our tests/unit, tests/count and Makefile in it. Where
# what they call has changed since and that does not build, the base does the work of its own, which is told. Where
# nothing builds nothing is judged, and that is a failure, unless ALLOW_SKIP=1 is set.
set -eu
cd "$(dirname "$0")/../.."
make=${MAKE:-make}
kernel_percent=1 broker_percent=3                 # more than so much more fails
drawn=20000 ordinary=100000                       # the kernel's steps: of test_decide_random's two stories
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

base_commit() {
    local base
    base=$(git merge-base HEAD origin/main 2> /dev/null) || base=$(git rev-parse HEAD)
    if [ "$base" = "$(git rev-parse HEAD)" ] && git diff --quiet HEAD; then base=$(git rev-parse HEAD~1); fi
    echo "$base"
}

# $1 commit, $2 whose workloads: ours or its own
build_base() {
    rm -rf "$scratch/base"
    mkdir "$scratch/base"
    git archive "$1" | tar -x -C "$scratch/base"
    if [ "$2" = ours ]; then
        rm -rf "$scratch/base/tests/unit" "$scratch/base/tests/count"
        cp -r tests/unit tests/count "$scratch/base/tests/"
        cp Makefile "$scratch/base/"
    fi
    "$make" -C "$scratch/base" --no-print-directory -j"$(nproc)" counted > "$scratch/build" 2>&1
}

# Instructions within the functions named, of a program that is run in an environment of its own: that has a length, too.
instructions() {
    local tree=$1 functions=$2
    shift 2
    (cd "$tree" && env -i TMPDIR=/tmp STEPS=$drawn valgrind --tool=callgrind --callgrind-out-file="$scratch/callgrind" \
        --collect-atstart=no $(printf -- '--toggle-collect=%s ' $functions) "$@") > "$scratch/out" 2> "$scratch/err" ||
        { tail -20 "$scratch/out" "$scratch/err" >&2; return 1; }
    awk '/ Collected : /{n = $4} END {if (!n) exit 1; print n}' "$scratch/err"
}

# A tree's two figures: instructions a step of the kernel, and of the broker.
count() {
    local tree=$1 kernel broker steps
    kernel=$(instructions "$tree" 'decide evolve' build/release/tests/unit/test_decide_random)
    broker=$(instructions "$tree" 'turn store_rest' build/release/count)
    steps=$(sed -nE 's/^steps ([0-9]+).*/\1/p' "$scratch/out")
    echo "$((kernel / (drawn + ordinary))) $((broker / steps))"
}

judge() {
    awk -v what="$1" -v was="$2" -v is="$3" -v percent="$4" 'BEGIN {
        bad = is > was * (1 + percent / 100)
        printf "   %-7s %8d %8d   %.4f  at most %.2f%s\n", what, was, is, is / was, 1 + percent / 100,
            bad ? "  TOO MANY" : ""
        exit bad }'
}

base=${BASE:-$(base_commit)}
base=$(git rev-parse --verify --quiet "$base^{commit}") || { echo "count: BASE=$BASE: no such commit" >&2; exit 2; }
read -r kernel broker < <(count .)
[ -n "${broker:-}" ] || { echo "count: the workloads failed" >&2; exit 1; }
if build_base "$base" ours; then
    :
elif build_base "$base" own; then
    echo "   our workloads do not build with ${base:0:12}: it does the work of its own"
else
    tail -5 "$scratch/build"
    echo "count: NOT COMPARED: no workloads build with ${base:0:12}; name another BASE." \
        "kernel $kernel, broker $broker instructions a step"
    [ "${ALLOW_SKIP:-0}" = 1 ]
    exit
fi
read -r kernel_was broker_was < <(count "$scratch/base")
[ -n "${broker_was:-}" ] || { echo "count: the workloads failed in ${base:0:12}" >&2; exit 1; }
printf '   %-7s %8.8s %8s   instructions a step\n' '' "$base" here
bad=0
judge kernel "$kernel_was" "$kernel" $kernel_percent || bad=1
judge broker "$broker_was" "$broker" $broker_percent || bad=1
exit $bad
