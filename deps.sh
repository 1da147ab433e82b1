#!/bin/sh
# Installs what building and testing need, and only what is missing. Debian 12 or a descendant.
# ./deps.sh bench: what the broker is measured beside, as well. Their own services are not started.
# ./deps.sh fuzz: what make fuzz-long needs, as well.
set -eu

DEPS="
gcc libc6-dev make pkg-config   # the build
libzmq3-dev                     # sockets between apps, broker, workers and consoles (lib/wire)
libprotobuf-c-dev               # messages as C structs (lib/codec)
protobuf-c-compiler             # proto/whistle.proto -> C
protobuf-compiler               # proto/whistle.proto -> Python for the tests, and the descriptors that tidy reads
liblmdb-dev                     # the folded state (daemon/store)
libevent-dev                    # the loop, and HTTP (daemon, daemon/gates)
libyaml-dev                     # settings and playbooks (daemon/config)
zlib1g-dev                      # the city's year is gzipped (ctl)
libjansson-dev                  # a second opinion on our JSON (tests)
libsodium-dev                   # digests and sealed text (lib/crypto)
libisal-dev                     # CRC32C at the speed of memory (lib/crypto)
libsystemd-dev                  # readiness and watchdog (daemon)
libcmocka-dev                   # unit tests
python3-pytest                  # black-box tests: the runner,
python3-zmq                     #   their sockets,
python3-protobuf                #   and their messages; tidy reads the descriptors with it, too
clang                           # the second compiler of make tidy
libfuse3-dev                    # a disk that forgets what was not synced (tests/power),
fuse3                           #   and what unmounts it
libclang-rt-14-dev              # its sanitizers and libFuzzer (tests/fuzz)
iproute2                        # networks of their own for the tests: a link that is cut, narrow,
nftables                        #   or loses packets
universal-ctags                 # the lengths of functions, for make tidy
systemd                         # reads our units, for the tests
mandoc                          # reads our manual pages strictly, for the tests; and so does
groff-base                      #   what man(1) shows them with
gcovr                           # the table of make coverage
valgrind                        # counts instructions (tests/count)
"
BENCH="
postgresql-15                   # beside whom the broker is measured
redis-server                    # likewise
"
FUZZ="
afl++                           # the second engine that tests/fuzz runs in
"
[ "${1:-}" != bench ] || DEPS=$DEPS$BENCH
[ "${1:-}" != fuzz ] || DEPS=$DEPS$FUZZ

missing=
for package in $(echo "$DEPS" | sed 's/#.*//'); do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) in
    installed) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

say() { echo "deps: $*" >&2; }
command -v apt-get > /dev/null || { say "not a Debian system; please install what corresponds to:$missing"; exit 1; }
root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo > /dev/null || { say "neither root nor sudo; please have installed:$missing"; exit 1; }
    root=sudo
fi
say "installing$missing"
policy=/usr/sbin/policy-rc.d
if [ "${1:-}" = bench ] && [ ! -e $policy ]; then     # Debian starts what it installs, unless this says no
    trap '$root rm -f $policy' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' | $root sh -c "cat > $policy && chmod 755 $policy"
fi
$root apt-get update -q
# shellcheck disable=SC2086  # a list of words
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
