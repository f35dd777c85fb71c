#!/usr/bin/env bash
# Checks the files that run the program on a schedule, and the workflows, each by its own tool.
# shellcheck disable=SC2154 # packaging/check sets the shared variables

# python_tool PACKAGE VERSION PROGRAM WORD...: runs a program of a package from PyPI.
python_tool() {
    local venv=$tools/python-$1
    [ -x "$venv/bin/$3" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet "$1==$2"; } >&2
    "$venv/bin/$3" "${@:4}"
}

check_kubernetes() {
    local file=packaging/kubernetes/cronjob.yaml
    python_tool kubernetes-validate 1.37.0 kubernetes-validate --strict "$file"
    "$tools/python-kubernetes-validate/bin/python" packaging/checks/cronjob.py "$file"
    echo "a valid CronJob, with files that it mounts"
}

check_systemd() {
    local folder=$scratch/systemd
    # The program is not installed where the unit expects it.
    sed "s|/usr/bin/connect-cache|$(binary_of "$(uname -m)")|" packaging/systemd/connect-cache.service >"$folder/connect-cache.service"
    cp packaging/systemd/connect-cache{.timer,-failure.service} "$folder"
    local said
    said=$(SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no --recursive-errors=yes "$folder"/connect-cache{.service,.timer,-failure.service} 2>&1) || { echo "$said"; return 1; }
    echo "$said"
    [ -z "$said" ]
    # Run the command that reports a failure, with programs that print their arguments and input.
    mkdir "$folder/bin"
    printf '#!/bin/sh\necho "the journal of: $*"\n' >"$folder/bin/journalctl"
    printf '#!/bin/sh\necho "a mail: $*"\ncat\n' >"$folder/bin/mail"
    chmod +x "$folder"/bin/*
    said=$(PATH="$folder/bin:$PATH" sh -c "$(sed -n "s/^ExecStart=.* -c '\(.*\)'$/\1/p" packaging/systemd/connect-cache-failure.service)")
    echo "$said"
    grep -q '^a mail: .* root$' <<<"$said"
    grep -q '^the journal of: --unit=connect-cache.service ' <<<"$said"
    systemd-analyze calendar "$(sed -n 's/^OnCalendar=//p' "$folder/connect-cache.timer")"
    # The threshold is in tenths. A default service has an exposure of 9.6.
    systemd-analyze security --offline=true --threshold=15 --no-pager "$folder/connect-cache.service" | tee "$folder/security"
    echo "verified, $(sed -n 's/.*Overall exposure level for [^:]*: \([0-9.]*\).*/exposure \1 of 10/p' "$folder/security")"
}

# Checks the workflows by GitHub's schema, and for weaknesses.
check_workflow() {
    local files=(.github/workflows/*.yml packaging/examples/github-actions.yml) words
    python_tool check-jsonschema 0.39.0 check-jsonschema --builtin-schema vendor.github-workflows "${files[@]}"
    python_tool zizmor 1.32.0 zizmor --offline --no-progress --color never "${files[@]}"
    # make has to know the targets that they use.
    words=$(grep -ohE 'make [a-z]+[a-z ]*' .github/workflows/*.yml | sed 's/^make //' | tr '\n' ' ')
    # shellcheck disable=SC2086 # one word for each target
    make --dry-run $words >/dev/null
    echo "valid by GitHub's schema, and zizmor finds nothing"
}
