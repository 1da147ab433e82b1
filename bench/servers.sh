# Sourced by run.sh and scale.sh: how each server is started and ended. Each run has a store of its own, in $data, and
# ends by the process ids that were started here. Sets $server, whose CPU is counted, and $worker.
bin=build/release/bin tools=build/release/bench
server= worker=

die() { echo "bench: $1" >&2; exit 1; }

stop() {
    for pid in $worker $server; do
        kill "${1:--TERM}" "$pid" 2> /dev/null || true
        wait "$pid" 2> /dev/null || true
    done
    server= worker=
}
clean() { stop; rm -rf "$data"; }
prepare() { rm -rf "$data"; mkdir -p "$data"; }

# $1 file, $2 what it says when the program in it serves
await() {
    tries=0
    until grep -qs "$2" "$1"; do
        kill -0 "$server" 2> /dev/null || { cat "$1" >&2; die "$1: the server has ended"; }
        tries=$((tries + 1))
        [ $tries -le 3000 ] || { cat "$1" >&2; die "$1: no start in a minute"; }
        sleep 0.02
    done
}

# ---- ours ------------------------------------------------------------------------------------------------------------

start_skeleton() {
    mkdir -p "$data/store"
    "$tools/skeleton" --endpoint "ipc://$data/front" --dir "$data/store" "$@" > "$data/log" 2>&1 & server=$!
    await "$data/log" ready
    sleep 1
}
# Ready, and no more.
resume_broker() {
    "$bin/whistled" --data "$data/store" --config config/qindu --front "ipc://$data/front" --pool "ipc://$data/pool" \
        --feed "ipc://$data/feed" "$@" > "$data/log" 2>&1 & server=$!
    await "$data/log" whistled.ready
}
# A run begins when the broker has prepared what it keeps ahead.
start_broker() {
    resume_broker "$@"
    tries=0
    while [ "$(find "$data/store/journal" -name '*.seg' | wc -l)" -lt 3 ] && [ $tries -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    sleep 1
}
start_worker() {
    start_broker
    "$bin/whistle-worker" --level community --divisions 610402 --pool "ipc://$data/pool" \
        > "$data/worker.log" 2>&1 & worker=$!
    sleep 1
}

# ---- what an office would use otherwise ------------------------------------------------------------------------------

# PostgreSQL does not serve root.
as_postgres() {
    if [ "$(id -u)" -ne 0 ]; then "$@"; else setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; fi
}
# The postmaster must be our child: no shell between us and it.
start_postgres() {
    postgres=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
    mkdir -p "$data/postgres"
    if [ "$(id -u)" -eq 0 ]; then chown postgres: "$data/postgres"; fi
    as_postgres "$postgres/initdb" -D "$data/postgres/db" -A trust -U postgres -E UTF8 --no-sync > "$data/log" 2>&1 ||
        { cat "$data/log" >&2; die "initdb has failed; PostgreSQL must be able to reach $data"; }
    run=
    if [ "$(id -u)" -eq 0 ]; then run="setpriv --reuid=postgres --regid=postgres --clear-groups"; fi
    # shellcheck disable=SC2086  # a list of words
    $run "$postgres/postgres" -D "$data/postgres/db" -k "$data/postgres" -p 5432 -c listen_addresses= \
        -c max_connections=200 -c synchronous_commit=on -c fsync=on -c max_wal_size=8GB -c shared_buffers=1GB \
        > "$data/log" 2>&1 & server=$!
    await "$data/log" "ready to accept connections"
    sleep 1
}
start_redis() {
    redis-server --port 0 --unixsocket "$data/redis.sock" --dir "$data" --appendonly yes --appendfsync always --save '' \
        --auto-aof-rewrite-percentage 0 > "$data/log" 2>&1 & server=$!
    await "$data/log" "Ready to accept connections\|ready to accept connections"
    sleep 1
}

# $1 system: how the load reaches it
reach() {
    case $1 in
    postgres) echo "--speech postgres --endpoint unix:$data/postgres/.s.PGSQL.5432" ;;
    redis) echo "--speech redis --endpoint unix:$data/redis.sock" ;;
    worker) echo "--status --endpoint ipc://$data/front" ;;
    *) echo "--endpoint ipc://$data/front" ;;
    esac
}
