#!/usr/bin/env bash
# Generates the completions and the man page: packaging/docs.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=packaging/common.sh
. packaging/common.sh
echo "docs: making man page and completions in ${1:-dist}: about a minute if nothing is built yet"
cargo run --quiet --locked --package connect-cache-generate -- \
    "${1:-dist}" "$version" "$(date --utc --date="@$SOURCE_DATE_EPOCH" +%Y-%m-%d)"
