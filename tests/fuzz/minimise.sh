#!/bin/bash
# minimise.sh [TARGET]...: what build/fuzz/corpus has grown into, brought down to the FILES_MAX inputs a target that go
# furthest, becomes tests/fuzz/corpus. For whoever has fuzzed for long and wants to keep what was learned.
set -eu
cd "$(dirname "$0")/../.."
FILES_MAX=40 BYTES_MAX=6000
scratch=$(mktemp -d /dev/shm/whistle-fuzz-XXXXXX)
export TMPDIR=$scratch
trap 'rm -rf "$scratch"' EXIT
[ $# -gt 0 ] || set -- $(cd tests/fuzz && echo fuzz_*.c | sed 's/fuzz_//g; s/\.c//g')

for target; do
    kept=tests/fuzz/corpus/$target all=$scratch/all few=$scratch/few
    rm -rf "$all" "$few"
    mkdir -p "$all" "$few" "$kept" "build/fuzz/corpus/$target"
    find "$kept" "build/fuzz/corpus/$target" -type f -size -${BYTES_MAX}c -exec cp -t "$all" {} +
    nice -n 19 "build/fuzz/tests/fuzz/fuzz_$target" -set_cover_merge=1 -verbosity=0 "$few" "$all" > "$scratch/log" 2>&1
    # Of more than that: every n-th by size, so that small and large ones stay.
    count=$(find "$few" -type f | wc -l)
    find "$kept" -type f -delete
    find "$few" -type f -printf '%s %p\n' | sort -n | awk -v n="$count" -v most=$FILES_MAX \
        '{ if (int(NR * most / n) > int((NR - 1) * most / n) || n <= most) print $2 }' | xargs -r cp -t "$kept"
    echo "$target: $count inputs reach all that is known; $(find "$kept" -type f | wc -l) are kept"
done
