#!/usr/bin/env bash
# Prints the licenses of the crates that are linked into the binary for a target: packaging/third-party.sh TARGET
#
# Each text is printed once, after the names of all crates that carry it.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."
target=$1
registry=${CARGO_HOME:-$HOME/.cargo}/registry/src

echo "The crates that connect-cache contains, and their licenses."
echo "Rust's standard library: MIT OR Apache-2.0. musl, the C library: MIT."

declare -A crates files
while read -r crate version license; do
    [ "$crate" = connect-cache ] && continue
    echo "$crate ${version#v}: $license"
    for file in "$registry"/*/"$crate-${version#v}"/{LICEN[CS]E,COPYING,NOTICE,UNLICENSE}*; do
        [ -f "$file" ] || continue
        sum=$(sha256sum <"$file")
        crates[$sum]+=" $crate"
        files[$sum]=$file
    done
done < <(cargo tree --locked --edges normal,no-proc-macro --target "$target" --prefix none \
    --format '{p} {l}' | sed 's/ (\*)$//' | sort -u)

for sum in "${!files[@]}"; do
    printf '%s\t%s\n' "${crates[$sum]}" "${files[$sum]}"
done | sort | while IFS=$'\t' read -r names file; do
    printf '\n\n==== %s:%s\n\n' "${file##*/}" "$names"
    cat "$file"
done
