#!/usr/bin/env bash
# Builds the image with buildah, podman or docker, whichever is installed: packaging/image.sh [ARCH]
#
# It is built from the tarballs' folders that packaging/dist.sh left in dist. The image is tagged connect-cache:VERSION
# (for another architecture than this machine's connect-cache:VERSION-ARCH), and saved in dist as a file that
# docker load and podman load read on a host without a registry.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=packaging/common.sh
. packaging/common.sh

arch=${1:-$(uname -m)}
context=dist/connect-cache-$version-$arch-linux-musl
[ -x "$context/connect-cache" ] || { echo "image: make dist first" >&2; exit 1; }
case $arch in
    x86_64) platform=linux/amd64 ;;
    aarch64) platform=linux/arm64 ;;
    armv7) platform=linux/arm/v7 ;;
    *) platform=linux/$arch ;;
esac
tag=connect-cache:$version
[ "$arch" = "$(uname -m)" ] || tag=$tag-$arch
archive=dist/connect-cache-$version-$arch-image.tar
words=(--platform "$platform" --build-arg "VERSION=$version" --file packaging/Containerfile --tag "$tag" "$context")
rm -f "$archive"

for builder in ${BUILDER:-buildah podman docker}; do
    command -v "$builder" >/dev/null && break
    builder=
done
if [ -z "$builder" ]; then
    echo "image: cannot build: no ${BUILDER:-buildah, podman or docker} here; install one (Debian: buildah)" >&2
    exit 1
fi
echo "image: building $tag with $builder"
case $builder in
    buildah)
        buildah build --quiet --timestamp "$SOURCE_DATE_EPOCH" "${words[@]}"
        buildah push --quiet "$tag" "docker-archive:$archive:$tag"
        ;;
    podman)
        podman build --quiet --timestamp "$SOURCE_DATE_EPOCH" "${words[@]}"
        podman save --quiet --output "$archive" "$tag"
        ;;
    docker)
        docker build --quiet "${words[@]}"
        docker save --output "$archive" "$tag"
        ;;
esac
gzip -9nf "$archive"
echo "image: $tag, built by $builder, saved in $archive.gz ($(stat -c %s "$archive.gz") bytes)"
packaging/checksums.sh
