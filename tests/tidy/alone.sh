#!/bin/bash
# The pure folders link with lib/base/pure.o and nothing else: whatever they leave undefined must be one of these.
set -eu
allowed='memcpy|memset|memmove|memcmp|memchr|strlen|strcmp|strncmp|strnlen'
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
base=build/release/lib/base/pure.o
build() { "${MAKE:-make}" --no-print-directory -j"$(nproc)" "$@" > "$scratch/said" 2>&1 || { cat "$scratch/said"; exit 1; }; }
bad=0
for folder in lib/base/pure $(awk '!/^#/ && / pure( |$)/ {print $2}' FLOORS); do
    objects=()
    for source in "$folder"/*.c; do
        [ -e "$source" ] && objects+=("build/release/${source%.c}.o")
    done
    [ ${#objects[@]} -gt 0 ] || [ "$folder" = lib/base/pure ] || continue
    build "$base" "${objects[@]}"
    ld -r -o "$scratch/alone.o" "$base" "${objects[@]}"
    for symbol in $(nm -u "$scratch/alone.o" | awk '{print $2}' | grep -vxE "$allowed" || true); do
        echo "$folder: is not pure, it calls $symbol"
        bad=1
    done
done
exit $bad
