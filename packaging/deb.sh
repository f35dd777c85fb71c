#!/usr/bin/env bash
# Makes Debian packages of what packaging/dist.sh built: packaging/deb.sh
#
# They are written next to the tarballs. Cargo.toml, [package.metadata.deb], takes their files from dist/debian.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=packaging/common.sh
. packaging/common.sh
# shellcheck source=packaging/targets.sh
. packaging/targets.sh
tool cargo-deb

made=0
rm -f dist/*.deb
for folder in dist/connect-cache-"$version"-*-linux-musl; do
    [ -x "$folder/connect-cache" ] || continue
    arch=${folder%-linux-musl}
    rm -rf dist/debian
    packaging/stage.sh "$folder/connect-cache" dist dist/debian/usr
    # Debian has its own folder for zsh's completions, and one file, copyright, for the licenses.
    mv dist/debian/usr/share/zsh/{site-functions,vendor-completions}
    rm dist/debian/usr/share/doc/connect-cache/LICENSE-*
    cargo deb --quiet --no-build --no-strip --target "$(target_of "${arch##*-}")" --output dist
    made=1
done
[ "$made" = 1 ] || { echo "deb: make dist first" >&2; exit 1; }
rm -r dist/debian
packaging/checksums.sh
