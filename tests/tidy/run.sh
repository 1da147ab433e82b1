#!/bin/bash
# The rules of the house, one line a rule; each one that is broken says where. FLAGS: what the compilers are told.
set -u
cd "$(dirname "$0")/../.." || exit
python=/usr/bin/python3
broken=0

rule() {
    local sentence=$1 began out
    shift
    began=$(date +%s%N)
    if out=$("$@" 2>&1); then
        printf '   ok      %5d ms  %s\n' $((($(date +%s%N) - began) / 1000000)) "$sentence"
    else
        printf '   BROKEN  %5d ms  %s\n' $((($(date +%s%N) - began) / 1000000)) "$sentence"
        sed 's/^/      /' <<< "$out"
        broken=1
    fi
}

# As a compiler reads it; what only an optimizer sees is said, and refused, where it is built (`make objects`, -Werror).
# shellcheck disable=SC2086  # FLAGS is a list of words
is_silent() {
    find lib daemon workers ctl tests bench -name '*.c' -not -path '*/protobuf-c/*' -print0 2> /dev/null |
        xargs -0 -r -n 8 -P "$(nproc)" "$1" -fsyntax-only $FLAGS
}

rule 'gcc reads everything and says nothing' is_silent gcc
rule 'clang reads everything and says nothing' is_silent clang
rule 'a folder includes from the floors it sees, a library through its door' $python tests/tidy/floors.py
rule 'the pure folders link alone' tests/tidy/alone.sh
rule 'no banned call, nothing too long or too wide, nothing unfinished' $python tests/tidy/source.py
if [ -e proto/whistle.proto ]; then
    rule 'messages are plain proto2, and no text lies open in the journal' \
        $python tests/tidy/messages.py build/gen/whistle.desc
fi
exit $broken
