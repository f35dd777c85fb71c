#!/usr/bin/env bash
# Deletes all runtime caches with rsconnect or posit-cli, which delete one per command:
# rsconnect.sh rsconnect | posit connect
set -euo pipefail

"$@" system caches list | jq -r '.caches[] | [.language, .version, .image_name] | @tsv' |
    while IFS=$'\t' read -r language version image; do
        "$@" system caches delete -l "$language" -V "$version" -I "$image" </dev/null
    done
