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
    validate() { python_tool kubernetes-validate 1.37.0 kubernetes-validate --strict "$@"; }
    local file=packaging/kubernetes/cronjob.yaml
    validate "$file"
    # The tool has to reject an unknown field and a value of the wrong kind.
    sed 's/concurrencyPolicy/concurrentPolicy/' "$file" >"$scratch/kubernetes/word.yaml"
    sed 's/readOnlyRootFilesystem: true/readOnlyRootFilesystem: "very"/' "$file" >"$scratch/kubernetes/kind.yaml"
    local broken
    for broken in "$scratch"/kubernetes/*.yaml; do
        ! cmp "$broken" "$file" || return 1
        ! validate "$broken" || return 1
    done
    "$tools/python-kubernetes-validate/bin/python" packaging/checks/cronjob.py "$file"
    echo "a valid CronJob that holds its promises; broken copies are refused"
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
    # The tool has to reject a broken service.
    sed 's/^Type=oneshot/Type=sometimes/; s/^LoadCredential=/LoadCredentials=/' "$folder/connect-cache.service" >"$folder/broken.service"
    said=$(systemd-analyze verify --man=no "$folder/broken.service" 2>&1) || true
    grep -q LoadCredentials <<<"$said"
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
    python_tool check-jsonschema 0.39.0 check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
    python_tool zizmor 1.32.0 zizmor --offline --no-progress --color never .github/workflows
    python_tool check-jsonschema 0.39.0 check-jsonschema --builtin-schema vendor.github-workflows packaging/examples/github-actions.yml
    python_tool zizmor 1.32.0 zizmor --offline --no-progress --color never packaging/examples/github-actions.yml
    sed 's/timeout-minutes: 60/timeout-hours: 1/' .github/workflows/release.yml >"$scratch/workflow/broken.yml"
    ! python_tool check-jsonschema 0.39.0 check-jsonschema --builtin-schema vendor.github-workflows "$scratch/workflow/broken.yml" || return 1
    # make has to know the targets that the workflow uses.
    local words targets
    words=$(grep -oE 'make [a-z]+[a-z ]*' .github/workflows/release.yml | sed 's/^make //' | tr '\n' ' ')
    read -ra targets <<<"$words"
    make --dry-run "${targets[@]}"
    echo "valid by GitHub's schema, and zizmor finds nothing"
}
