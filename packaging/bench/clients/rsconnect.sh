#!/usr/bin/env bash
# Deletes all runtime caches with rsconnect, which deletes one per command: rsconnect.sh
set -euo pipefail

rsconnect system caches list | jq -r '.caches[] | [.language, .version, .image_name] | @tsv' |
    while IFS=$'\t' read -r language version image; do
        rsconnect system caches delete -l "$language" -V "$version" -I "$image" </dev/null
    done
