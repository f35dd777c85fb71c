#!/usr/bin/env bash
# Tests the tests: changes src/ in small ways, and counts the changes that no test notices: tests/mutants.sh
#
# A shard is a part of src/. Its mutants are tried first on the tests that end within seconds and those that are about
# this part, and the survivors on all tests. PART=http tries only one shard. The results of a shard are kept in
# target/mutants, and a shard that is finished is not repeated for the same sources. SINCE=HEAD~3 tries only the lines
# that differ from that commit. Fails if less than 97 % are caught.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=packaging/common.sh
. packaging/common.sh

# Unit tests, which are in modules called `tests`, and the groups of the program's tests that do not wait for long.
quick=(tests arguments check delete environment from headers heads help list namesakes properties proxy replies saved secrets streams
    task trust usage)
# The shards, which are folders of src/, each with the other groups that see it.
declare -A groups=(
    [cli/commands]="commands purge terminal"
    [cli]="commands terminal"
    [config]="socks"
    [http]="cluster gateways odd_replies socks"
    [deletion]="cluster faults following presence purge"
    [rest]="cluster following gateways masking odd_replies"
)

work=$(realpath -m "${CARGO_TARGET_DIR:-target}")/mutants
tree=$work/tree
# CONNECT_CACHE_BIN and CARGO_TARGET_DIR would have the tests run a program that is not the mutant.
unset CONNECT_CACHE_BIN CARGO_TARGET_DIR
# Most tests wait for a task. libtest's option that ends them at the first failure is not stable yet.
export RUST_TEST_THREADS=32 RUSTC_BOOTSTRAP=1
tool cargo-mutants

# The mutants are made in a copy, whose builds are used again.
mkdir -p "$tree"
find "$tree" -mindepth 1 -maxdepth 1 ! -name target -exec rm -r {} +
git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from - --ignore-failed-read |
    tar --extract --directory "$tree"
results=$work/$(cd "$tree" && find src tests build.rs Cargo.* -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-12)
(cd "$tree" && cargo test --quiet --package connect-cache --lib --bins --test program --no-run)
# A mutant that loops outlives the tests that started it, and takes the time of those after it. So the processes of a
# test end with it, and may use only this much processor time.
runner='prlimit --cpu=60'
namespace='unshare --fork --pid --mount-proc --kill-child'
if $namespace true 2>/dev/null; then runner="$namespace $runner"; fi
host=$(rustc -vV | sed -n 's/^host: //p' | tr '[:lower:]-' '[:upper:]_')
export "CARGO_TARGET_${host}_RUNNER=$runner"

# mutants SHARD OPTION...: calls cargo-mutants for the files of a shard.
mutants() {
    local name files=()
    if [ "$1" = rest ]; then
        for name in "${!groups[@]}"; do files+=(--exclude "src/$name/**"); done
    else
        files=(--file "src/$1/**")
        [ "$1" != cli ] || files+=(--exclude 'src/cli/commands/**')
    fi
    cargo mutants --dir "$tree" --output "$results/$1" --in-place --colors=never --no-times "${files[@]}" "${diff[@]}" "${@:2}"
}

# try SHARD GROUP...: tries the mutants of a shard that are not caught yet on these tests, or on all.
try() {
    local status=0 out=$results/$1/mutants.out
    mutants "$1" --iterate -- -- -Z unstable-options --fail-fast "${@:2}" || status=$?
    # They count as caught from now on.
    sort -u -o "$results/$1/unviable" "$results/$1/unviable" "$out/unviable.txt"
    # 2: some are missed, 3: some have reached the time limit.
    case $status in 0 | 2 | 3) ;; *) return "$status" ;; esac
    cp "$out/missed.txt" "$results/$1/survivors"
}

# run SHARD: tries the mutants of a shard.
run() {
    local first
    mkdir -p "$results/$1"
    # An earlier run that was stopped has left some.
    cat "$results/$1/mutants.out/unviable.txt" >>"$results/$1/unviable" 2>/dev/null || true
    read -ra first <<<"${quick[*]} ${groups[$1]}"
    try "$1" "${first[@]/%/::}"
    [ ! -s "$results/$1/survivors" ] || try "$1"
    mv "$results/$1/survivors" "$results/$1/missed"
}

diff=()
if [ -n "${SINCE:-}" ]; then
    results=$results-since-$(git rev-parse --short "$SINCE")
    mkdir -p "$results"
    git diff "$SINCE" -- src >"$results/diff"
    diff=(--in-diff "$results/diff")
fi
caught=0 missed=0
for shard in ${PART:-"${!groups[@]}"}; do
    all=$(mutants "$shard" --list | wc -l)
    if [ "$all" = 0 ]; then continue; fi
    [ -e "$results/$shard/missed" ] || run "$shard"
    survivors=$(wc -l <"$results/$shard/missed") unviable=$(wc -l <"$results/$shard/unviable")
    echo "mutants of $shard: $((all - survivors - unviable)) caught, $survivors missed, $unviable do not compile"
    cat "$results/$shard/missed"
    caught=$((caught + all - survivors - unviable)) missed=$((missed + survivors))
done
echo "mutants: $caught caught, $missed missed; see $results"
((caught * 100 >= (caught + missed) * 97))
