#!/usr/bin/env bash
# Shows the main commands as a user would type them, with the test server on a free port of this host.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
built=${CARGO_TARGET_DIR:-target}/debug
PATH=$(cd "$built" && pwd):$PATH
# Ignore this host's settings: no proxy and no other server.
for name in ${!CONNECT_*} HTTP_PROXY HTTPS_PROXY ALL_PROXY http_proxy https_proxy all_proxy; do
    unset "$name"
done

connect-test-server --task-seconds 3 --ready "$work/ready" \
    --cache Python,3.7.6,Local --cache Python,3.12.4,Local --cache R,4.3.0,Local \
    --fail R,4.3.0,Local >"$work/server.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
until [ -s "$work/ready" ]; do
    kill -0 "$server" 2>/dev/null || { cat "$work/server.log" >&2; exit 1; }
    sleep 0.05
done
address=$(head -n 1 "$work/ready")

# type_in COMMAND EXPECTED-STATUS: shows the command, runs it, and shows its exit status.
type_in() {
    printf '\n$ %s\n' "$1"
    local status=0
    bash -c "$1" || status=$?
    printf '(exit status %s)\n' "$status"
    if [ "$status" -ne "$2" ]; then
        echo "demo: expected exit status $2" >&2
        exit 1
    fi
}

echo "A test server stands in for Posit Connect; its deletions take three seconds."
echo
echo "\$ export CONNECT_SERVER=$address CONNECT_API_KEY=admin-key"
export CONNECT_SERVER=$address CONNECT_API_KEY=admin-key
type_in "connect-cache list" 0
type_in "connect-cache delete --language Python --version 3.7.6" 0
type_in "connect-cache list" 0
echo
echo "A deletion that the server starts, and then fails at:"
type_in "connect-cache delete --language R --version 4.3.0" 1

cat <<EOT

To do the same on a server of yours:

  make static                          # builds dist/connect-cache
  (umask 077; cat >~/.connect-key)     # paste an administrator's API key, then
                                       # press Enter and Ctrl-D
  export CONNECT_API_KEY_FILE=~/.connect-key
  export CONNECT_SERVER=https://connect.example.com
  dist/connect-cache check             # server, certificate, key, role, DELETE
  dist/connect-cache list
EOT
