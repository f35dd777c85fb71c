#!/usr/bin/env bash
# Tests the tests: changes src/ in small ways, and counts the changes that no test notices: tests/mutants.sh [recent]
#
# `recent` changes only the lines that the last 5 commits touch (or the commits since MUTANTS_BASE), for at most 15
# minutes, and only reports. Otherwise everything is changed, which takes a day on two cores: SHARD=0/40 runs every 40th change.
# Fails under 97 %. The survivors are in target/mutants/mutants.out/missed.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=packaging/common.sh
. packaging/common.sh
limit=${MUTANTS_TIME:-15m}
output=$(realpath -m "${CARGO_TARGET_DIR:-target}")/mutants
options=(--output "$output" --colors=never --no-times --gitignore=true)
run=()

if [ "${1:-}" = recent ]; then
    base=${MUTANTS_BASE:-HEAD~5}
    if ! git rev-parse --quiet --verify "$base^{commit}" >/dev/null 2>&1; then
        echo "skipped: the mutants of recent commits need the commit $base, which this checkout does not have"
        exit 0
    fi
    mkdir -p "$output"
    git diff "$base" -- src >"$output/recent.diff"
    if [ ! -s "$output/recent.diff" ]; then
        echo "skipped: no line of src/ differs from $base, so there are no mutants"
        exit 0
    fi
    options+=(--in-diff "$output/recent.diff")
    run=(timeout --signal=INT --kill-after=1m "$limit")
else
    options+=(${SHARD:+--shard "$SHARD" --sharding round-robin})
fi

tool cargo-mutants
rm -rf "$output/mutants.out"
all=$(cargo mutants --list "${options[@]}" | wc -l)
if [ "$all" = 0 ]; then
    echo "skipped: no mutants in these lines"
    exit 0
fi
status=0
# A mutant that loops outlives the tests that started it, so each process may use two minutes of processor time.
ulimit -t 120
# CONNECT_CACHE_BIN and CARGO_TARGET_DIR would have the tests run a program that is not the mutant.
env -u CONNECT_CACHE_BIN -u CARGO_TARGET_DIR RUSTC_BOOTSTRAP=1 RUST_TEST_THREADS=16 "${run[@]}" cargo mutants "${options[@]}" || status=$?

count() {
    grep -c '' "$output/mutants.out/$1.txt" 2>/dev/null || true
}
caught=$(($(count caught) + $(count timeout))) missed=$(count missed) unviable=$(count unviable)
case $status in
0 | 2 | 3) ;;
124 | 130 | 137) echo "stopped after $limit: $((all - caught - missed - unviable)) of $all mutants were not run" ;;
*) exit "$status" ;;
esac
echo "mutants: $caught caught, $missed missed, $unviable do not compile"
cat "$output/mutants.out/missed.txt" 2>/dev/null || true
[ ${#run[@]} != 0 ] || ((caught * 100 >= (caught + missed) * 97))
