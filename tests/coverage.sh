#!/bin/bash
# Lines and branches that the unit tests take, file by file; the kernel and the store against limits, which only rise.
#
#   coverage.sh <tests without .c>...          built with --coverage, below build/cov
#
# What does not count: the other side of a CHECK and a line with NEVER, which say that nobody gets there; and what is
# marked GCOVR_EXCL_..., which must say why on the same line.
set -u
cd "$(dirname "$0")/.." || exit
limits='daemon/kernel 100 95
daemon/store 100 97'
trace=build/cov/trace.json

if unsaid=$(grep -rn 'GCOVR_EXCL' lib daemon workers ctl | grep -vE 'GCOVR_EXCL_[A-Z_]+: .{8,}'); then
    printf 'coverage: left out without a reason:\n%s\n' "$unsaid" >&2
    exit 1
fi
# As many at a time as there are cores: each adds its counts to those of the others, with the file locked (libgcov).
one() {
    local said=build/cov/$1.out
    STEPS=200000 "build/cov/$1" > "$said" 2>&1 || { tail -20 "$said"; echo "$1 failed"; exit 1; } >&2
}
export -f one
find build/cov -name '*.gcda' -delete
printf '%s\n' "$@" | xargs -P "$(nproc)" -I TEST bash -c 'one TEST' || exit 1
gcovr --root . --object-directory build/cov --filter lib/ --filter daemon/ --filter workers/ --filter ctl/ \
    --exclude-branches-by-pattern '.*\bCHECK\(' --exclude-lines-by-pattern '.*\bNEVER\(' --json "$trace" || exit
gcovr --root . --add-tracefile "$trace" --html build/coverage.html --txt || exit
bad=0
while read -r folder lines branches; do
    echo "$folder: at least $lines % of lines, $branches % of branches"
    gcovr --root . --add-tracefile "$trace" --filter "$folder/" --fail-under-line "$lines" --fail-under-branch "$branches" \
        --print-summary --output build/coverage.part || bad=1
done <<< "$limits"
exit $bad
