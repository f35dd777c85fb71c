#!/usr/bin/env bash
# Installs the program, its man page, completions and documents: packaging/install.sh
#
# Under DESTDIR and PREFIX (default: /usr/local). Copies what `make static` built, and runs neither cargo nor git:
# root may have no cargo.
set -euo pipefail
cd "$(dirname "$0")/.."
for file in connect-cache man/connect-cache.1 completions/connect-cache.bash; do
    [ -f "dist/$file" ] || { echo "install: cannot install: there is no dist/$file; run make static first" >&2; exit 1; }
done
prefix=${PREFIX:-/usr/local}
packaging/stage.sh dist/connect-cache dist "${DESTDIR:-}$prefix" "$prefix"
echo "install: installed under ${DESTDIR:-}$prefix"
