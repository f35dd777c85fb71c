#!/usr/bin/env bash
# Prints the sizes of the static binary and of the floor, the least program that does the main job, and fails above the
# limit: packaging/size.sh BINARY
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$1
bytes=$(stat -c %s "$binary")
echo "$binary: $bytes bytes, $(gzip -9 <"$binary" | wc -c) compressed"
if grep -aq 'GNU C Library' "$binary"; then
    echo "built for glibc: the limits are for musl, and not judged"
    exit 0
fi
# Only the standard library that rustup installs reads this variable.
limit=1400000
if grep -aq RUST_BACKTRACE "$binary"; then limit=1700000; fi

floor_binary=${CARGO_TARGET_DIR:-target}/floor/floor
packaging/floor/build.sh "$floor_binary"
floor=$(stat -c %s "$floor_binary")
echo "floor: $floor bytes; the program is $((bytes * 100 / floor)) % of it"

if [ "$bytes" -gt "$limit" ]; then
    echo "over the limit of $limit bytes" >&2
    exit 1
fi
