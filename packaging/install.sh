#!/usr/bin/env bash
# Installs the program, its man page, completions and documents: packaging/install.sh
#
# Beneath DESTDIR and PREFIX (default: /usr/local). What has not been built before is built.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x dist/connect-cache ] || packaging/static.sh
[ -f dist/man/connect-cache.1 ] || packaging/docs.sh

prefix=${DESTDIR:-}${PREFIX:-/usr/local}
put() { # MODE FILE TARGET
    install -D --mode "$1" "$2" "$prefix/$3"
}
put 755 dist/connect-cache bin/connect-cache
put 644 dist/man/connect-cache.1 share/man/man1/connect-cache.1
put 644 dist/completions/connect-cache.bash share/bash-completion/completions/connect-cache
put 644 dist/completions/_connect-cache share/zsh/site-functions/_connect-cache
put 644 dist/completions/connect-cache.fish share/fish/vendor_completions.d/connect-cache.fish
for file in README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE; do
    put 644 "$file" "share/doc/connect-cache/$file"
done
for file in packaging/systemd/* packaging/kubernetes/*; do
    put 644 "$file" "share/doc/connect-cache/examples/${file##*/}"
done
# The service starts the program where it is.
sed -i "s|^ExecStart=/usr/bin/|ExecStart=${PREFIX:-/usr/local}/bin/|" \
    "$prefix/share/doc/connect-cache/examples/connect-cache.service"
