#!/usr/bin/env bash
# Builds the files of a release: packaging/dist.sh [FOLDER]
#
# For each of ARCHES (default: x86_64 aarch64 armv7) a tarball and a list of its crates (SBOM, CycloneDX), and
# SHA256SUMS over all of them, in FOLDER (default: dist). The same commit and toolchain give the same bytes
# in any folder. The files of earlier runs are removed, packages and images included. armv7 is skipped if its C compiler
# or its C library is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=packaging/common.sh
. packaging/common.sh
# shellcheck source=packaging/debian.sh
. packaging/debian.sh
# shellcheck source=packaging/targets.sh
. packaging/targets.sh
out=$(realpath -m "${1:-dist}")
mkdir -p "$out"

# binary ARCH OUTPUT: builds the binary; exits 3 if rustup has no such target.
binary() {
    local emulator=
    [ "$1" = "$(uname -m)" ] || emulator=$(command -v "qemu-${1/armv7/arm}-static" || true)
    MUSL_ONLY=1 AUDITABLE=1 EMULATOR=$emulator packaging/static.sh "$1" "$2" || return
    # The list of crates that cargo-auditable writes has a section of its own.
    [[ $(readelf --section-headers --wide "$2") = *.dep-v0* ]] || { echo "dist: $2 does not list its crates" >&2; return 1; }
}

# sbom ARCH: prints the SBOM. The tool writes next to each Cargo.toml, so it runs in a copy.
sbom() {
    local copy
    copy=$(mktemp -d)
    cp -r --parents Cargo.toml Cargo.lock src tests/server packaging/generate "$copy"
    (cd "$copy" && cargo cyclonedx --quiet --format json --spec-version 1.5 --describe binaries --target "$(target_of "$1")")
    sed -e "s|path+file://$copy#||; s|?download_url=file://[^\"]*||" "$copy/connect-cache_bin.cdx.json"
    rm -r "$copy"
}

# assemble ARCH: fills the tarball's folder, which contains the binary. Completions and examples get folders of their
# own.
assemble() {
    local folder=$out/connect-cache-$version-$1-linux-musl tree
    packaging/third-party.sh "$(target_of "$1")" >"$folder/LICENSES-THIRD-PARTY"
    tree=$(mktemp -d)
    packaging/stage.sh "$folder/connect-cache" "$out" "$tree" /usr/local
    cp "$tree"/bin/* "$tree"/share/man/man1/* "$folder"
    find "$tree/share/doc/connect-cache" -maxdepth 1 -type f -exec cp -t "$folder" {} +
    cp -r "$out/completions" "$tree/share/doc/connect-cache/examples" "$folder"
    rm -r "$tree"
}

# Report everything that is missing before anything is built.
arches=() packages=(binutils:readelf)
for arch in ${ARCHES:-x86_64 aarch64 armv7}; do
    if [ "$arch" = "$(uname -m)" ]; then
        packages+=(gcc libc6-dev:/usr/include/stdint.h)
    elif [ "$arch" = aarch64 ]; then
        packages+=(gcc-aarch64-linux-gnu:aarch64-linux-gnu-gcc libc6-dev-arm64-cross:/usr/aarch64-linux-gnu/include/stdint.h)
    elif [ "$arch" = armv7 ]; then
        debian_missing gcc-arm-linux-gnueabihf:arm-linux-gnueabihf-gcc libc6-dev-armhf-cross:/usr/arm-linux-gnueabihf/include/stdint.h
        if ((${#missing[@]})); then
            echo "dist: skipped armv7: missing the Debian packages ${missing[*]}"
            continue
        fi
    fi
    arches+=("$arch")
done
debian_missing "${packages[@]}"
if ((${#missing[@]})); then
    echo "dist: cannot build: missing the Debian packages ${missing[*]}; install them, or name fewer architectures in ARCHES" >&2
    exit 1
fi
tool cargo-auditable cargo-cyclonedx
rm -rf "$out"/connect-cache-*-linux-musl "$out"/connect-cache[-_]*.{tar.gz,cdx.json,deb,rpm} "$out/SHA256SUMS"
packaging/docs.sh "$out"
made=
for arch in "${arches[@]}"; do
    name=connect-cache-$version-$arch-linux-musl
    status=0
    binary "$arch" "$out/$name/connect-cache" || status=$?
    if [ "$status" = 3 ]; then
        echo "dist: skipped $arch: rustup has no $(target_of "$arch") here"
        continue
    elif [ "$status" != 0 ]; then
        echo "dist: $arch failed; ARCHES names the architectures to build for" >&2
        exit 1
    fi
    if [ "$arch" = x86_64 ]; then packaging/size.sh "$out/$name/connect-cache"; fi
    assemble "$arch"
    sbom "$arch" >"$out/$name.cdx.json"
    tar --create --directory "$out" --sort=name --format=ustar --mtime="@$SOURCE_DATE_EPOCH" \
        --owner=0 --group=0 --numeric-owner --mode=u+w,go-w,a+rX "$name" | gzip -9n >"$out/$name.tar.gz"
    made=1
done
[ "$made" ] || exit 3
packaging/checksums.sh "$out"
