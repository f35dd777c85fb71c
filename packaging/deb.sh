#!/usr/bin/env bash
# Makes Debian packages of what packaging/dist.sh built: packaging/deb.sh
#
# They land beside the tarballs. What goes where is in Cargo.toml, [package.metadata.deb].
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=packaging/common.sh
. packaging/common.sh
tool cargo-deb

made=0
rm -f dist/*.deb
for folder in dist/connect-cache-"$version"-*-linux-musl; do
    [ -x "$folder/connect-cache" ] || continue
    arch=${folder%-linux-musl}
    target=${arch##*-}-unknown-linux-musl
    # Where cargo-deb looks for a binary that it need not build.
    install -D "$folder/connect-cache" "${CARGO_TARGET_DIR:-target}/$target/release/connect-cache"
    cp "$folder/LICENSES-THIRD-PARTY" dist/
    cargo deb --quiet --no-build --no-strip --target "$target" --output dist
    made=1
done
[ "$made" = 1 ] || { echo "deb: make dist first" >&2; exit 1; }
ls dist/*.deb
