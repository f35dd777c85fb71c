#!/usr/bin/env bash
# Starts a test server for the checks, and runs the main commands against it.
# shellcheck disable=SC2154,SC2034 # packaging/check sets the shared variables

# start_server FOLDER WORD...: starts the test server; its URL is in $url, its CA in FOLDER/ca.pem, a key
# file in FOLDER/key. A check stops the server by `kill $server`; otherwise it ends with the check.
start_server() {
    local folder=$1
    shift
    cargo build --quiet --locked --package connect-test-server
    mkdir -p "$folder"
    rm -f "$folder/ready"
    "${CARGO_TARGET_DIR:-target}/debug/connect-test-server" --tls "$folder" --ready "$folder/ready" "$@" >"$folder/out" &
    server=$!
    trap 'kill $server' EXIT
    until [ -s "$folder/ready" ]; do
        kill -0 $server
        sleep 0.05
    done
    url=$(head -n 1 "$folder/ready")
    (umask 077; sed -n '2s/ .*//p' "$folder/out" >"$folder/key")
}

# expect STATUS WORD...: runs a command, checks its exit status, and puts its output into $out and $err.
expect() {
    local status=0
    "${@:2}" >"$scratch/out" 2>"$scratch/err" || status=$?
    out=$(cat "$scratch/out") err=$(cat "$scratch/err")
    printf '$ %s\n%s\n%s\nexit %s\n' "${*:2}" "$out" "$err" "$status"
    [ "$status" = "$1" ] || { echo "exit $status, not $1"; return 1; }
}

# main_job FOLDER WORD...: runs the program, which these words start, over TLS: a list, a deletion, a deletion that
# fails, and a wrong CA.
main_job() {
    local folder=$1
    shift
    start_server "$folder" --cache R,4.3.0,Local --cache Python,3.7.6,Local --cache Python,3.8.1,Local \
        --fail Python,3.8.1,Local --task-seconds 0.2
    local program=("$@" --server "$url" --api-key-file "$folder/key")
    local trusting=("${program[@]}" --cacert "$folder/ca.pem")
    expect 0 "${trusting[@]}" list
    [ "$(wc -l <<<"$out")" = 3 ]
    expect 0 "${trusting[@]}" delete --language Python --version 3.7.6
    grep -q 'Successfully deleted runtime cache' <<<"$out"
    expect 1 "${trusting[@]}" delete --language Python --version 3.8.1
    grep -q 'permission denied' <<<"$err"
    expect 0 "${trusting[@]}" list --json
    grep -q '3\.8\.1' <<<"$out"
    ! grep -q '3\.7\.6' <<<"$out" || return 1
    expect 6 "${program[@]}" --retries 0 list
    grep -q 'cacert' <<<"$err"
}
