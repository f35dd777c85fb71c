#!/usr/bin/env bash
# Prints the size of the static binary, and fails where it is over the limit: packaging/size.sh BINARY
set -euo pipefail
limit=1600000
binary=$1
bytes=$(stat -c %s "$binary")
echo "$binary: $bytes bytes, $(gzip -9 <"$binary" | wc -c) compressed"
if strings -a "$binary" | grep -q 'GNU C Library'; then
    echo "built for glibc: the limit of $limit bytes is for musl, and not judged"
elif [ "$bytes" -gt "$limit" ]; then
    echo "over the limit of $limit bytes" >&2
    exit 1
fi
