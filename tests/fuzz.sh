#!/usr/bin/env bash
# Runs the fuzz targets in tests/fuzz/fuzz_targets: tests/fuzz.sh [replay]
#
# Each target runs for FUZZ_SECONDS (600). It starts with its inputs in tests/fuzz/corpus and with those that earlier runs
# found, which are in target/fuzz/corpus. The target `run` plays its inputs to the program in the same process, then
# to the ordinary and to the static binary. FUZZ_TARGET=name runs only one. `replay` plays only the inputs in
# tests/fuzz/corpus. An input that fails is in target/fuzz/finds.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=packaging/common.sh
. packaging/common.sh
# With the time of each commit, C code would be compiled anew.
unset SOURCE_DATE_EPOCH
work=$(realpath -m "${CARGO_TARGET_DIR:-target}")/fuzz
seconds=${FUZZ_SECONDS:-600}
failed=()

if ! command -v c++ >/dev/null || ! tool cargo-fuzz; then
    echo "skipped: fuzzing needs cargo-fuzz, which crates.io provides, and a C++ compiler"
    exit 0
fi
mapfile -t targets <<<"${FUZZ_TARGET:-$(cargo fuzz list --fuzz-dir tests/fuzz)}"
# Without a sanitizer this needs no nightly Rust. The program has no unsafe code for a sanitizer to watch.
cargo fuzz build --fuzz-dir tests/fuzz --sanitizer none --target-dir "$work/build" ${FUZZ_TARGET:+"$FUZZ_TARGET"} 2>&1 |
    grep -v '^ *Compiling ' || [ "${PIPESTATUS[0]}" = 0 ]

programs=$work/build/$(rustc -vV | sed -n 's/^host: //p')/release

# fuzz NAME TARGET: runs a target; NAME is also that of its log.
fuzz() {
    local name=$1 target=$2 corpora=("tests/fuzz/corpus/$2") log=$work/$1.log limit=(-runs=0)
    if [ "$mode" != replay ]; then
        mkdir -p "$work/corpus/$target"
        # libFuzzer saves new inputs in the first directory.
        corpora=("$work/corpus/$target" "${corpora[@]}")
        limit=(-max_total_time="$seconds")
    fi
    if "$programs/$target" "${limit[@]}" -timeout=60 -artifact_prefix="$work/finds/$target-" \
        "${corpora[@]}" </dev/null >"$log" 2>&1; then
        printf '%s: %s; %s\n' "$name" "$(sed -nE 's/^#.* (cov: [0-9]+).*/\1/p' "$log" | tail -n 1)" "$(tail -n 1 "$log")"
    else
        failed+=("$name")
        tail -n 100 "$log"
    fi
}

mode=${1:-}
mkdir -p "$work/finds"
# Some targets write files there.
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
for target in "${targets[@]}"; do
    CONNECT_CACHE_BIN='' fuzz "$target" "$target"
    [ "$target" = run ] || continue
    cargo build --quiet --package connect-cache
    declare -A binaries=([ordinary]=${CARGO_TARGET_DIR:-target}/debug/connect-cache [static]=dist/connect-cache)
    for kind in ordinary static; do
        if [ -x "${binaries[$kind]}" ]; then
            CONNECT_CACHE_BIN=$(realpath "${binaries[$kind]}") fuzz "run-$kind" run
        else
            echo "skipped: ${binaries[$kind]} is missing; make static builds it"
        fi
    done
done
if ((${#failed[@]})); then
    echo "failed: ${failed[*]}; see $work/finds" >&2
    exit 1
fi
