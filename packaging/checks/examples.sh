#!/usr/bin/env bash
# Runs each example as its file says, against the test server: one run succeeds, and one reports a failure.
# shellcheck disable=SC2154 # packaging/check sets the shared variables

# serve_orphans WORD...: starts a server with two orphaned caches. The program is on the PATH, and trusts the server.
serve_orphans() {
    [ -z "${server:-}" ] || kill "$server"
    start_server "$scratch/examples/server" --listen 127.0.0.1:0 \
        --cache Python,3.8.1,Local --cache Python,3.9.0,Local "$@"
    export CONNECT_CA_CERTIFICATE=$scratch/examples/server/ca.pem
    mkdir -p "$scratch/examples/bin"
    ln -sf "$(binary_of "$(uname -m)")" "$scratch/examples/bin/connect-cache"
}

# Runs the job as cron does, by sh in an environment of its own. cron would mail the output.
run_cron() {
    local line environment=()
    while read -r line; do
        environment+=("$line")
    done < <(grep -E '^[A-Z_]+=' packaging/examples/connect-cache.cron |
        sed "s|^PATH=|&$scratch/examples/bin:|; s|^\(CONNECT_SERVER=\).*|\1$url|; s|^\(CONNECT_API_KEY_FILE=\).*|\1$scratch/examples/server/key|")
    line=$(sed -n 's/^0 3 \* \* 0 root //p' packaging/examples/connect-cache.cron)
    env -i "CONNECT_CA_CERTIFICATE=$CONNECT_CA_CERTIFICATE" "${environment[@]}" sh -c "$line"
}

# Runs the step as GitHub's runner does for `shell: bash`.
run_step() {
    sed -n '/^ *run: |$/,/^ *env:$/p' packaging/examples/github-actions.yml | sed '1d; $d' >"$scratch/examples/step"
    env PATH="$scratch/examples/bin:$PATH" RUNNER_TEMP="$scratch/examples" CONNECT_SERVER="$url" \
        CONNECT_API_KEY="$(cat "$scratch/examples/server/key")" bash --noprofile --norc -eo pipefail "$scratch/examples/step"
}

run_playbook() {
    printf '[connect_admin]\nlocalhost ansible_connection=local ansible_python_interpreter=%s\n' \
        "$tools/python-ansible-core/bin/python" >"$scratch/examples/inventory"
    PATH="$scratch/examples/bin:$PATH" ANSIBLE_HOME=$scratch/examples/ansible ANSIBLE_NOCOLOR=1 \
        python_tool ansible-core 2.19.14 ansible-playbook -i "$scratch/examples/inventory" \
        -e "connect_server=$url" -e "connect_api_key_file=$scratch/examples/server/key" "$@" packaging/examples/ansible.yml
}

check_examples() {
    serve_orphans
    expect 0 run_cron
    [ -z "$out$err" ]
    serve_orphans --fail Python,3.8.1,Local
    expect 1 run_cron
    [ -z "$out" ]
    grep -q '^error: .*Python 3\.8\.1 Local.*permission denied' <<<"$err"

    serve_orphans
    expect 0 run_step
    ! grep '^::' <<<"$out" || return 1
    serve_orphans --fail Python,3.8.1,Local
    expect 1 run_step
    grep -q '^::error title=connect-cache::.*Python 3\.8\.1 Local.*permission denied' <<<"$out"
    [ "$(wc -l <"$scratch/examples/caches.jsonl")" = 2 ]

    serve_orphans
    expect 0 run_playbook --check
    grep -q ' changed=1 .* failed=0 ' <<<"$out"
    expect 0 run_playbook
    grep -q ' changed=1 .* failed=0 ' <<<"$out"
    expect 0 run_playbook
    grep -q ' changed=0 .* failed=0 ' <<<"$out"
    serve_orphans --fail Python,3.8.1,Local
    expect 2 run_playbook
    grep -q 'permission denied' <<<"$out"
    echo "cron, the step of GitHub Actions and the Ansible task succeed, and report a failure"
}
