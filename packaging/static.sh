#!/usr/bin/env bash
# Builds the static release binary for a Linux architecture: packaging/static.sh [ARCH] [OUTPUT]
#
# For musl, with the target that rustup installs. Where it cannot be had, for this machine's glibc: larger,
# and no name service switch without the same glibc at run time, but static; MUSL_ONLY=1 forbids that, exit 3.
# What was built is run once (for another architecture only where EMULATOR names an emulator).
# AUDITABLE=1 has cargo-auditable write the crates and their versions into the binary.
set -euo pipefail
cd "$(dirname "$0")/.."

host=$(uname -m)
arch=${1:-$host}
output=${2:-dist/connect-cache}
target=$arch-unknown-linux-musl
cargo=(cargo build --release --locked --quiet)
# Paths of this machine in panic messages would make the binary larger, and differ from build to build.
registry=${CARGO_HOME:-$HOME/.cargo}/registry/src
cargo fetch --locked --quiet --target "$target" 2>/dev/null || true # what fails here, the build tells
remap=()
for source in "$registry"/*/; do
    [ -d "$source" ] && remap+=("--remap-path-prefix=$source=")
done
remap+=("--remap-path-prefix=$PWD/=" "--remap-path-prefix=$(rustc --print sysroot)=/rust")
if [ -n "${AUDITABLE:-}" ]; then
    # What `cargo auditable build --locked` sets, but for the wrapper's bare name: the whole path would go
    # into the symbols' names, and so the bytes of the binary would depend on where the tool is installed.
    export RUSTC_WORKSPACE_WRAPPER=cargo-auditable
    export CARGO_AUDITABLE_ORIG_ARGS='{"offline":false,"locked":true,"frozen":false,"config":[]}'
fi

# build TARGET FLAG...: builds with these flags for rustc, and puts the result at $output.
build() {
    local target=$1
    shift
    local flags
    flags=$(printf '%s\x1f' "${remap[@]}" "$@")
    CARGO_ENCODED_RUSTFLAGS=${flags%$'\x1f'} "${cargo[@]}" --target "$target" --bin connect-cache || return 1
    mkdir -p "$(dirname "$output")"
    cp "${CARGO_TARGET_DIR:-target}/$target/release/connect-cache" "$output"
}

runs() {
    if [ "$arch" = "$host" ]; then
        "$output" --version >/dev/null 2>&1
    elif [ -n "${EMULATOR:-}" ]; then
        "$EMULATOR" "$output" --version >/dev/null 2>&1
    fi
}

link=(-C "link-arg=-Wl,--build-id=none")
# Nothing unwinds, since a panic aborts: what the standard library calls of the unwinder, to print a
# backtrace, need not be there (70 KB).
unwinder=()
for name in Backtrace DeleteException FindEnclosingFunction GetCFA GetDataRelBase GetIP GetIPInfo \
    GetLanguageSpecificData GetRegionStart GetTextRelBase RaiseException Resume SetGR SetIP; do
    unwinder+=(-C "link-arg=-Wl,--defsym=_Unwind_$name=abort")
done
small=("${link[@]}" -C "link-arg=-Wl,-T,$PWD/packaging/drop-unwind-tables.ld" -C "link-arg=-Wl,--no-eh-frame-hdr"
    "${unwinder[@]}")
packed=(-C "link-arg=-Wl,-z,pack-relative-relocs")

rustup target list --installed 2>/dev/null | grep -qx "$target" ||
    rustup target add "$target" >/dev/null 2>&1 || true
if [ -d "$(rustc --print sysroot)/lib/rustlib/$target/lib" ]; then
    # ring's C needs no C library: any C compiler for the architecture will do, and the linker with it.
    cc=gcc
    [ "$arch" = "$host" ] || cc=$arch-linux-gnu-gcc
    if ! command -v "$cc" >/dev/null; then
        echo "static: there is no $cc to compile and link for $arch (Debian: gcc-${arch//_/-}-linux-gnu)" >&2
        exit 1
    fi
    if ! "$cc" -fsyntax-only -x c - <<<'#include <stdint.h>' 2>/dev/null; then
        echo "static: $cc has no C headers (Debian: libc6-dev for $arch, by cross-compilers libc6-dev-*-cross)" >&2
        exit 1
    fi
    underscored=${target//-/_}
    export "CC_$underscored=$cc" "CARGO_TARGET_$(tr '[:lower:]' '[:upper:]' <<<"$underscored")_LINKER=$cc"
    # Packed relocations need musl 1.2.4 (Rust 1.93): older ones crash at the start. A linker too old for
    # them, or not GNU's, fails.
    for flags in "${small[*]} ${packed[*]}" "${small[*]}" "${link[*]}"; do
        # shellcheck disable=SC2086 # the flags hold no space of their own but the one that parts them
        if build "$target" $flags && runs; then
            echo "static: $output is built for $target"
            exit 0
        fi
        echo "static: with '$flags' $target gives nothing that runs; trying without" >&2
    done
    exit 1
fi
if [ "$arch" != "$host" ] || [ -n "${MUSL_ONLY:-}" ]; then
    echo "static: rustup cannot install $target here" >&2
    exit 3
fi
target=$arch-unknown-linux-gnu
build "$target" "${link[@]}" -C target-feature=+crt-static
runs
echo "static: the musl target cannot be installed here, so $output is built for glibc ($target)"
