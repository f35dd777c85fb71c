#!/usr/bin/env bash
# Writes SHA256SUMS over everything that a release publishes: packaging/checksums.sh [FOLDER]
#
# Each script that adds files to FOLDER (default: dist) runs it last: for tarballs and SBOMs, Debian and rpm packages,
# and images.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."
# shellcheck source=packaging/common.sh
. packaging/common.sh
cd "${1:-dist}"
shopt -s nullglob
files=(connect-cache[-_]"$version"[-_]*.{tar.gz,cdx.json,deb,rpm})
sha256sum "${files[@]}" | tee SHA256SUMS
