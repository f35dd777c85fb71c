#!/usr/bin/env bash
# Makes rpm packages of what packaging/dist.sh built: packaging/rpm.sh
#
# They are written next to the tarballs. Cargo.toml, [package.metadata.generate-rpm], takes their files from dist/rpm.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=packaging/common.sh
. packaging/common.sh
tool cargo-generate-rpm

made=
rm -f dist/*.rpm
for folder in dist/connect-cache-"$version"-*-linux-musl; do
    [ -x "$folder/connect-cache" ] || continue
    arch=${folder%-linux-musl} arch=${arch##*-}
    rm -rf dist/rpm
    packaging/stage.sh "$folder/connect-cache" dist dist/rpm/usr
    gzip -9n dist/rpm/usr/share/man/man1/connect-cache.1
    # Every rpm can read gzip.
    # rpm's name for it includes the hardware floating point.
    cargo generate-rpm --arch "${arch/#armv7/armv7hl}" --output dist/ --source-date "$SOURCE_DATE_EPOCH" --payload-compress gzip
    made=1
done
[ "$made" ] || { echo "rpm: there are no binaries to package; run make dist first" >&2; exit 1; }
rm -r dist/rpm
packaging/checksums.sh
