#!/usr/bin/env bash
# Installs the program, its man page, completions and documents: packaging/install.sh
#
# Under DESTDIR and PREFIX (default: /usr/local). What has not been built before is built.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x dist/connect-cache ] || packaging/static.sh
[ -f dist/man/connect-cache.1 ] || packaging/docs.sh
prefix=${PREFIX:-/usr/local}
packaging/stage.sh dist/connect-cache dist "${DESTDIR:-}$prefix" "$prefix"
