#!/usr/bin/env bash
# Runs the fuzz targets in tests/fuzz: tests/fuzz.sh [replay]
#
# Each target runs for FUZZ_SECONDS (600); FUZZ_TARGET=name runs only one. It starts with its inputs in
# tests/fuzz/corpus and those that earlier runs left in target/fuzz/corpus. An input that fails is saved in
# tests/fuzz/artifacts.
#
# `replay` only plays the inputs in tests/fuzz/corpus, which needs no cargo-fuzz: to the program in the process of the
# target and, with CONNECT_CACHE_BIN, to that binary.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=packaging/common.sh
. packaging/common.sh
# With the time of each commit, C code would be compiled anew.
unset SOURCE_DATE_EPOCH
work=$(realpath -m "${CARGO_TARGET_DIR:-target}")/fuzz
# Some targets write files there.
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

# show LOG: shows why a target failed.
show() {
    grep -a -A 30 'panicked at' "$1" || tail -n 30 "$1"
}

replay() {
    cargo build --quiet --manifest-path tests/fuzz/Cargo.toml --target-dir "$work/build"
    local folder target log=$TMPDIR/log
    for folder in tests/fuzz/corpus/*; do
        target=${folder##*/}
        "$work/build/debug/$target" -timeout=60 "$folder"/* </dev/null >"$log" 2>&1 || { show "$log"; return 1; }
        echo "fuzz: $target accepts $(grep -c '^Executed ' "$log") inputs${CONNECT_CACHE_BIN:+, with $CONNECT_CACHE_BIN}"
    done
}

if [ "${1:-}" = replay ]; then
    CONNECT_CACHE_BIN='' replay
    [ -z "${CONNECT_CACHE_BIN:-}" ] || replay
    exit
fi

tool cargo-fuzz
status=0
for folder in tests/fuzz/corpus/${FUZZ_TARGET:-*}; do
    target=${folder##*/}
    log=$work/$target.log
    mkdir -p "$work/corpus/$target"
    echo "fuzz: $target for ${FUZZ_SECONDS:-600} s"
    # Without a sanitizer this needs no nightly Rust. The program has no unsafe code for a sanitizer to watch.
    if cargo fuzz run --fuzz-dir tests/fuzz --target-dir "$work/build" --sanitizer none "$target" \
        "$work/corpus/$target" "$folder" -- -max_total_time="${FUZZ_SECONDS:-600}" -timeout=60 \
        </dev/null >"$log" 2>&1; then
        tail -n 1 "$log"
    else
        status=1
        show "$log"
    fi
done
exit $status
