#!/bin/sh
# make bench-scale: how the broker grows, each row with its aim. What the rows mean: README.md.
#
#   DATA=build/bench-data     where the stores lie: on the disk that is meant
#   CASES="1000 10000 100000 1000000"   open cases; the last one is also what consoles resume from
#   ROWS="cases restart resume year stall due deadlines consoles answers"   which of them
# Ends with status 1 when an aim is missed.
set -eu
cd "$(dirname "$0")/.."
data=${DATA:-$PWD/build/bench-data} missed=0
cases=${CASES:-1000 10000 100000 1000000}
rows=${ROWS:-cases restart resume year stall due deadlines consoles answers}
. bench/servers.sh
trap clean EXIT
trap 'exit 130' INT TERM

# ---- figures -----------------------------------------------------------------------------------------------------------

# $1 line of JSON, $2 name
of() { echo "$1" | sed -n "s/.*\"$2\":\([-0-9.]*\).*/\1/p"; }
calc() { awk "BEGIN { printf \"%.${2:-2}f\", $1 }"; }
# $1 what, $2 figure, $3 unit, $4 most|least, $5 aim
show() {
    good=$(awk "BEGIN { print (\"$4\" == \"most\" ? $2 <= $5 : $2 >= $5) }")
    [ "$good" = 1 ] || missed=1
    printf '%-10s %-66s %10s %s (aim: at %s %s)\n' "$([ "$good" = 1 ] && echo ok || echo 'aim missed')" "$1" "$2" "$3" \
        "$4" "$5"
}
say() { printf '           %-66s %10s %s\n' "$1" "$2" "$3"; }

load() {
    line=$("$tools/load" --endpoint "ipc://$data/front" --pid "$server" --seed "$(date +%N)" "$@") ||
        { cat "$data/log" >&2; die "the run does not count"; }
}
# Resident without the state's map, in MiB.
resident() {
    awk '/^[0-9a-f]+-[0-9a-f]+ /{ours = !/state\.mdb$/} /^Rss:/ && ours {kb += $2} END {printf "%.1f", kb / 1024}' \
        "/proc/$server/smaps"
}
# CPU of the thread that decides, in seconds.
thread_cpu() {
    awk -v hz="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); print ($12 + $13) / hz}' "/proc/$server/task/$server/stat"
}
process_cpu() { awk -v hz="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); print ($12 + $13) / hz}' "/proc/$server/stat"; }
now() { date +%s.%N; }

# ---- rows --------------------------------------------------------------------------------------------------------------

open_cases() { "$bin/whistlectl" --front "ipc://$data/front" status | awk '/^open cases/{print $NF}'; }
# A broker with as many open cases as `cases` ends with: the one it left, or a new one. No worker, so nothing ends.
flooded() {
    [ -z "$server" ] || return 0
    prepare
    start_broker
    load --publishers 64 --window 64 --count "${cases##* }"
}

# Every power of ten: quiet publishers, one report each at a time; a flood between.
grow() {
    have=0 first_p50='' first_cpu=''
    prepare
    start_broker
    for n in $cases; do
        [ "$n" -le "$have" ] || load --publishers 64 --window 64 --count $((n - have))
        sleep 1
        load --publishers 4 --window 1 --count 4000
        have=$(open_cases)
        p50=$(of "$line" p50_us) cpu=$(of "$line" cpu_us)
        : "${first_p50:=$p50}" "${first_cpu:=$cpu}"
        say "$n open cases, 4x1: p50 / CPU of a command / resident" "$p50" "us / $cpu us / $(resident) MiB"
    done
    show "p50 at the last, to the first" "$(calc "$p50 / $first_p50")" "times" most 1.5
    show "CPU of a command at the last, to the first" "$(calc "$cpu / $first_cpu")" "times" most 4
    show "resident beyond LMDB's map" "$(resident)" MiB most 64
}

# On the store of `cases`.
restart() {
    flooded
    have=$(open_cases)
    stop -KILL
    began=$(now)
    resume_broker
    show "kill -9 at $have open cases, started again: ready" "$(calc "$(now) - $began")" s most 2
}

# On the store of `cases`: consoles that missed a million updates come back at once.
resume() {
    flooded
    load --publishers 4 --window 64 --rate 2000 --seconds 5
    before=$(of "$line" p99_us)
    "$tools/consoles" --endpoint "ipc://$data/feed" --consoles 1000 --communities --behind 1000000 \
        --seconds 0 > "$data/consoles" &
    worker=$!
    sleep 0.5
    load --publishers 4 --window 64 --rate 2000 --seconds 10
    say "2,000 reports/s: p99 before / beside 1,000 consoles catching up" "$before" "us / $(of "$line" p99_us) us"
    show "p99 of reports while they catch up, to before" "$(calc "$(of "$line" p99_us) / $before")" times most 2
    if kill -0 "$worker" 2> /dev/null; then say "still catching up after 10 s" "" ""; else
        say "all of them were live after" "$(of "$(tail -1 "$data/consoles")" live_after_s)" s
    fi
    stop
}

# A year of a city through real processes, then the offline fold of its journal with every check.
year() {
    prepare
    TMPDIR=$data ONCE=1 KEEP=1 ctl/run.sh > "$data/log" 2>&1 || { tail -5 "$data/log" >&2; die "the drill has failed"; }
    store=$(echo "$data"/whistle-*/store)
    began=$(now)
    "$bin/whistlectl" verify "$store" > "$data/verify" 2>&1 || { cat "$data/verify" >&2; die "verify has failed"; }
    took=$(calc "$(now) - $began") records=$(awk '/^records/{print $NF}' "$data/verify")
    say "a year's journal verified and folded: records / s" "$records" "/ $took s"
    show "records/s of whistlectl verify" "$(calc "$records / $took" 0)" /s least 100000
}

stall() {
    prepare
    start_broker
    load --publishers 4 --window 256 --rate 10000 --seconds 10
    show "10,000 reports/s, checkpoints and all: p99 from when it was due" "$(calc "$(of "$line" p99_us) / 1000")" ms most 50
    say "and the worst" "$(calc "$(of "$line" max_us) / 1000")" ms
    stop
}

# Reported ten days ago by a broker whose clock is that far behind; all due when the next one starts.
due() {
    prepare
    cc -shared -fPIC -O2 -o "$data/skew.so" tests/blackbox/skew.c -ldl
    python3 -c 'import struct, sys; sys.stdout.buffer.write(struct.pack("<3q", 1, 0, -864000000))' > "$data/skew"
    LD_PRELOAD=$data/skew.so SKEW=$data/skew start_broker
    LD_PRELOAD=$data/skew.so SKEW=$data/skew load --publishers 64 --window 64 --count 100000
    stop
    seq=$(of "$("$tools/fired" "$data/store")" seq)
    resume_broker
    load --publishers 4 --window 64 --rate 2000 --warm 0 --seconds 5
    stop
    fired=$("$tools/fired" "$data/store" "$seq")
    say "deadlines due at a start that fired" "$(of "$fired" fired)" ""
    show "of them out of their order" "$(of "$fired" out_of_order)" "" most 0
    show "fired a second" "$(of "$fired" fired_per_s)" /s least 20000
    show "p99 of 2,000 new reports/s meanwhile" "$(calc "$(of "$line" p99_us) / 1000")" ms most 100
}

deadlines() {
    prepare
    "$tools/deadlines" "$data" 1000000 10000000 > "$data/log"
    line=$(tail -1 "$data/log")
    say "10,000,000 deadlines stored: insert / fire, each" "$(of "$line" insert_us)" "us / $(of "$line" fire_us) us"
    show "insert, to that at 1,000,000" "$(of "$line" insert_ratio)" times most 2
    show "fire, to that at 1,000,000" "$(of "$line" fire_ratio)" times most 2
}

# What 100 consoles cost: the same reports with and without them.
consoles() {
    prepare
    start_broker
    cpu=$(thread_cpu) all=$(process_cpu)
    load --publishers 4 --window 64 --rate 2000 --seconds 5 --warm 0
    alone=$(calc "$(thread_cpu) - $cpu" 4) all_alone=$(calc "$(process_cpu) - $all" 4)
    "$tools/consoles" --endpoint "ipc://$data/feed" --consoles 100 --seconds 8 > "$data/consoles" & worker=$!
    until grep -q live "$data/consoles"; do sleep 0.1; done
    cpu=$(thread_cpu) all=$(process_cpu)
    load --publishers 4 --window 64 --rate 2000 --seconds 5 --warm 0
    cpu=$(calc "$(thread_cpu) - $cpu - $alone" 4) all=$(calc "$(process_cpu) - $all - $all_alone" 4)
    wait "$worker" || die "the consoles have failed"
    worker=
    updates=$(of "$(tail -1 "$data/consoles")" updates)
    say "100 consoles, 2,000 reports/s: deliveries" "$updates" ""
    show "the deciding thread's CPU for one delivery" "$(calc "$cpu / $updates * 1000000")" us most 1
    say "and with libzmq's thread, which sends it" "$(calc "$all / $updates * 1000000")" us
    stop
}

answers() {
    ratios=
    for round in 1 2 3; do
        for system in skeleton broker; do
            prepare
            "start_$system"
            load --publishers 4 --window 64 --answers 100000
            eval "$system=$(of "$line" reports_per_s)"
            stop
        done
        # shellcheck disable=SC2154  # set by eval
        ratios="$ratios $(calc "$broker / $skeleton")"
        say "round $round: answers/s, skeleton / broker" "$skeleton" "/ $broker"
    done
    # shellcheck disable=SC2086  # a list of words
    show "answers to 100,000 cases at random: ratio to the skeleton" \
        "$(printf '%s\n' $ratios | sort -n | sed -n 2p)" times least 0.5
}

[ -x "$bin/whistled" ] && [ -x "$tools/consoles" ] && [ -x "$tools/fired" ] || die "make bench-scale builds what this runs"
echo
echo "scale; load at start: $(cut -d' ' -f1 /proc/loadavg)"
for row in $rows; do
    case $row in
    cases) grow ;;
    restart | resume | year | stall | due | deadlines | consoles | answers) "$row" ;;
    *) die "$row: no such row; there are: cases restart resume year stall due deadlines consoles answers" ;;
    esac
done
exit $missed
