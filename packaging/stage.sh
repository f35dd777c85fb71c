#!/usr/bin/env bash
# Arranges the files that ship, for the tarballs, the packages and `make install`:
# packaging/stage.sh BINARY DOCS TREE [PREFIX]
#
# It writes the folders bin and share in TREE. DOCS is the folder with the files of packaging/docs.sh. PREFIX is the
# folder that TREE becomes on a host (default: /usr).
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$1 docs=$2 tree=$3 prefix=${4:-/usr}

put() { # MODE FILE TARGET
    install -D --mode "$1" "$2" "$tree/$3"
}
put 755 "$binary" bin/connect-cache
put 644 "$docs/man/connect-cache.1" share/man/man1/connect-cache.1
put 644 "$docs/completions/connect-cache.bash" share/bash-completion/completions/connect-cache
put 644 "$docs/completions/_connect-cache" share/zsh/site-functions/_connect-cache
put 644 "$docs/completions/connect-cache.fish" share/fish/vendor_completions.d/connect-cache.fish
for file in README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE; do
    put 644 "$file" "share/doc/connect-cache/$file"
done
# packaging/dist.sh puts the licenses of the crates next to the binary; `make static` makes no such list.
licenses=$(dirname "$binary")/LICENSES-THIRD-PARTY
[ ! -f "$licenses" ] || put 644 "$licenses" share/doc/connect-cache/LICENSES-THIRD-PARTY
for file in packaging/{systemd,kubernetes,examples}/*; do
    put 644 "$file" "share/doc/connect-cache/examples/${file##*/}"
done
# The service starts the program where it is.
sed -i "s|^ExecStart=/usr/bin/|ExecStart=$prefix/bin/|" "$tree/share/doc/connect-cache/examples/connect-cache.service"
