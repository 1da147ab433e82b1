#!/bin/bash
# make run: a broker, a worker for each level, and a year of reports; then it stays up until Ctrl-C.
#
#   ONCE=1   ends after the summary, with the drill's status
#   LIVE=1   no drill: an ordinary store under the rules of Qindu, in real time
#   KEEP=1   leaves the scratch directory where it is
#
# Everything is in a scratch directory, sockets too. Only processes started here are ended here.
set -u
cd "$(dirname "$0")/.." || exit
bin=$PWD/build/release/bin
scratch=$(mktemp -d "${TMPDIR:-/tmp}/whistle-XXXXXX") || exit
mode=drill
[ -n "${LIVE:-}" ] && mode=qindu
endpoints=(--front "ipc://$scratch/front" --pool "ipc://$scratch/pool" --feed "ipc://$scratch/feed")
ctl=("$bin/whistlectl" --front "ipc://$scratch/front" --feed "ipc://$scratch/feed" --pool "ipc://$scratch/pool")
started=()

say() { echo "run: $*" >&2; }

# Workers first, so that they can say goodbye; the broker closes its store. Nothing is left behind when we are gone.
finish() {
    local status=$? i
    trap - EXIT
    trap '' INT TERM
    for ((i = ${#started[@]} - 1; i >= 0; i--)); do
        kill -TERM "${started[i]}" 2> /dev/null
        wait "${started[i]}" 2> /dev/null
    done
    if [ -n "${KEEP:-}" ]; then say "kept $scratch"; else rm -rf "$scratch"; fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

fail() {
    local log
    say "$1"
    for log in "$scratch"/*.log; do echo "---- ${log##*/}"; tail -n 20 "$log"; done >&2
    exit 1
}

start() {
    local log=$scratch/$1.log
    shift
    "$@" > "$log" 2>&1 &
    started+=($!)
}

ready() {
    local i
    for ((i = 0; i < 300; i++)); do
        grep -q whistled.ready "$scratch/broker.log" && return
        kill -0 "${started[0]}" 2> /dev/null || fail "the broker has ended"
        sleep 0.1
    done
    fail "the broker is not ready after 30 s"
}

case $scratch in *[[:cntrl:]]*) say "cannot work in $scratch"; exit 1 ;; esac
[ ${#scratch} -le 90 ] || { say "$scratch is too long a path for sockets; set TMPDIR to a shorter one"; exit 1; }
say "scratch directory $scratch"
broker=("$bin/whistled" --data "$scratch/store" --config "config/$mode" "${endpoints[@]}" --lease-ms 60s)
[ "$mode" = drill ] && broker+=(--drill)
start broker "${broker[@]}"
ready
for level in community street district; do
    start "worker-$level" "$bin/whistle-worker" --endpoint "ipc://$scratch/pool" --level "$level" --divisions 610402 \
        --credit 256
done

status=0
if [ "$mode" = drill ]; then
    "${ctl[@]}" drill --config config/drill --data config/drill/boston-2015-min.csv.gz || status=$?
    [ "$status" -eq 0 ] || [ -z "${ONCE:-}" ] || fail "the drill ended with $status"
fi
[ -z "${ONCE:-}" ] || exit "$status"

quoted=$(printf '%q ' "${ctl[@]}")
echo
if [ "$mode" = drill ]; then
    echo "Serving the drill's store; its clock goes on from 2016-01-13. Worth trying in another window:"
    echo "  ${quoted}list --division 610402001"
    echo "  ${quoted}show 610402-20150105-00001"
    echo "  ${quoted}status"
else
    echo "Serving an empty store under the rules of Qindu, in real time. Worth trying in another window:"
    echo "  ${quoted}watch --division 610402"
    echo "  ${quoted}report --division 610402006001003 --category E0102 --wall inside --text 楼道口堆了垃圾"
    echo "  ${quoted}status"
fi
echo "Ctrl-C ends it."
trap 'exit 0' INT TERM
while kill -0 "${started[0]}" 2> /dev/null; do sleep 0.5; done
fail "the broker has ended"
