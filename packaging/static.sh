#!/usr/bin/env bash
# Builds the static release binary for a Linux architecture: packaging/static.sh [ARCH] [OUTPUT]
#
# Builds for musl, with a standard library compiled for this program (rustup's component rust-src). Without
# rust-src it links the one that rustup installs, which is larger. Without the musl target it builds for this
# machine's glibc: that binary is still larger, and lacks the name service switch unless the same glibc is there at
# run time. With MUSL_ONLY=1 it exits 3 instead. Runs the result once; for another architecture only with EMULATOR.
# AUDITABLE=1 makes cargo-auditable write the crates and their versions into the binary.
# PANIC_MESSAGES=1 builds a larger program that reports the location of a panic. Otherwise a panic raises a signal
# without a message.
# MANIFEST names the Cargo.toml of another program to build in the same way.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=packaging/targets.sh
. packaging/targets.sh

host=$(uname -m)
arch=${1:-$host}
output=${2:-dist/connect-cache}
target=$(target_of "$arch")
manifest=${MANIFEST:-Cargo.toml}
program=$(sed -n '0,/^name = /s/^name = "\(.*\)"$/\1/p' "$manifest")
sysroot=$(rustc --print sysroot)
std=$sysroot/lib/rustlib/src/rust/library
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}
# Paths of this machine would make the binary larger, and differ between machines. The build reports errors.
cargo fetch --locked --quiet --manifest-path "$manifest" --target "$target" 2>/dev/null || true
remap=("--remap-path-prefix=$PWD/=" "--remap-path-prefix=$sysroot=/rust")
for source in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
    remap+=("--remap-path-prefix=$source=")
done
if [ -n "${AUDITABLE:-}" ]; then
    # `cargo auditable build --locked` sets the same, except that it names the wrapper by its full path. That
    # path is hashed into symbol names, so the binary would depend on the directory of the tool.
    export RUSTC_WORKSPACE_WRAPPER=cargo-auditable
    export CARGO_AUDITABLE_ORIG_ARGS='{"offline":false,"locked":true,"frozen":false,"config":[]}'
fi

# build TARGET FLAG...: builds with these flags for rustc, copies the result to $output and tries it.
build() {
    local target=$1 flags
    shift
    flags=$(printf '%s\x1f' "${remap[@]}" "$@")
    CARGO_ENCODED_RUSTFLAGS=${flags%$'\x1f'} cargo build --release --locked --quiet --manifest-path "$manifest" \
        --target "$target" --bin "$program" || return 1
    mkdir -p "$(dirname "$output")"
    cp "$CARGO_TARGET_DIR/$target/release/$program" "$output"
    if [ "$arch" = "$host" ]; then
        "$output" --help >/dev/null 2>&1
    elif [ -n "${EMULATOR:-}" ]; then
        "$EMULATOR" "$output" --help >/dev/null 2>&1
    fi
}

# The toolchain's own linker folds identical code and packs relocations, which musl before 1.2.4 (Rust 1.93)
# cannot read. A panic ends the program, so nothing needs the unwind tables, or the unwinder of the standard library.
small=(-C linker=rust-lld -C linker-flavor=ld.lld -C force-unwind-tables=no)
for word in --icf=all -zpack-relative-relocs --no-eh-frame-hdr "-T$PWD/packaging/drop-unwind-tables.ld" \
    --defsym=_Unwind_Backtrace=abort --defsym=_Unwind_Resume=abort; do
    small+=(-C "link-arg=$word")
done
# Rust has no position-independent static binaries for armv7.
[ "$arch" != armv7 ] || small+=(-C relocation-model=static)
# Never add -Z fmt-debug: ureq prints the HTTP version of a request by Debug, and rustls the reason why it
# rejected a certificate.
silent=(-Z unstable-options -C panic=immediate-abort -Z location-detail=none --cfg silent_panics)
[ -z "${PANIC_MESSAGES:-}" ] || silent=()
plain=(-C "link-arg=-Wl,--build-id=none")

# from_source FLAG...: builds with the standard library from source, which a stable toolchain does only with
# RUSTC_BOOTSTRAP.
from_source() {
    RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort CARGO_UNSTABLE_BUILD_STD_FEATURES=optimize_for_size \
        build "$target" "${small[@]}" "${silent[@]}" "$@"
}

# set_compiler: sets the C compiler and the linker for the target. ring's C code needs no C library, so any C compiler
# for the architecture is sufficient.
set_compiler() {
    local cc variable=${target//-/_}
    cc=$(compiler_of "$arch")
    if ! "$cc" -fsyntax-only -x c - <<<'#include <stdint.h>'; then
        echo "static: no $cc with C headers (Debian: gcc and libc6-dev, or their cross-compilers for $arch)" >&2
        exit 1
    fi
    export "CC_$variable=$cc" "CARGO_TARGET_${variable^^}_LINKER=$cc"
    export "CFLAGS_$variable=-fno-asynchronous-unwind-tables -fno-unwind-tables"
}

echo "static: building $output for $arch: about a minute"
rustup target add "$target" >/dev/null 2>&1 || true
[ -d "$std" ] || rustup component add rust-src >/dev/null 2>&1 || true
if [ -d "$sysroot/lib/rustlib/$target/lib" ]; then
    set_compiler
    if [ -d "$std" ] && from_source; then
        echo "static: $output is built for $target, with the standard library from source"
    elif build "$target" "${small[@]}"; then
        echo "static: $output is built for $target, with rustup's larger standard library (no usable rust-src)"
    elif build "$target" "${plain[@]}"; then
        echo "static: $output is built for $target, without what makes it small (the toolchain is too old)"
    else
        exit 1
    fi
elif [ -d "$std" ] && debian_musl "$arch" "$(realpath -m "$CARGO_TARGET_DIR")/musl-$arch"; then
    set_compiler
    from_source "${musl[@]}"
    echo "static: $output is built for $target, with Debian's musl and the standard library from source"
elif [ "$arch" != "$host" ] || [ -n "${MUSL_ONLY:-}" ]; then
    echo "static: rustup cannot install $target here" >&2
    exit 3
else
    build "$arch-unknown-linux-gnu" "${plain[@]}" -C target-feature=+crt-static
    echo "static: the musl target cannot be installed here, so $output is built for glibc"
fi
