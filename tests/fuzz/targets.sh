# targets.sh, read by run.sh and long.sh: a scratch directory, a place for finds, and JOBS targets at a time.
# shellcheck shell=bash
jobs=${JOBS:-$(nproc)} finds=build/fuzz/finds
scratch=$(mktemp -d /dev/shm/whistle-fuzz-XXXXXX) || exit
export TMPDIR=$scratch
trap 'rm -rf "$scratch"' EXIT
trap 'kill $(jobs -p) 2> /dev/null; exit 130' INT TERM
mkdir -p $finds
began=$SECONDS

# Lets `fuzz TARGET` run for each: it says its line and leaves "EXECUTIONS FINDS" in $scratch/TARGET.sum. The sum is said
# last; a find is a failure.
fuzz_each() {
    local target executed found
    for target; do
        while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
        fuzz "$target" &
    done
    wait
    for target; do                                  # one that left no sum was not tried
        [ -s "$scratch/$target.sum" ] || { echo "-- $target ended before it had begun"; echo 0 1 > "$scratch/$target.sum"; }
    done
    read -r executed found < <(cat "$scratch"/*.sum | awk '{n += $1; f += $NF} END {printf "%d %d\n", n, f}')
    echo "fuzz: $executed executions of $# targets in $((SECONDS - began)) s, $found finds"
    [ "$found" -eq 0 ]
}
