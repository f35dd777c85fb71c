#!/usr/bin/env bash
# Lists and deletes runtime caches with curl and jq, as an administrator would write it:
# curl.sh list | delete LANGUAGE VERSION IMAGE | purge
set -euo pipefail

api() {
    curl -sS --fail-with-body -H "Authorization: Key $CONNECT_API_KEY" "$@"
}
caches=$CONNECT_SERVER/__api__/v1/system/caches/runtime

list() {
    api "$caches" | jq -r '.caches[] | [.language, .version, .image_name] | @tsv'
}

delete() {
    local body id task
    body=$(jq -n --arg language "$1" --arg version "$2" --arg image "$3" \
        '{language: $language, version: $version, image_name: $image}')
    id=$(api -X DELETE -d "$body" "$caches" | jq -r .task_id)
    until task=$(api "$CONNECT_SERVER/__api__/v1/tasks/$id") && jq -e .finished <<<"$task" >/dev/null; do
        sleep 1
    done
    jq -r '.output[]' <<<"$task"
    return "$(jq .code <<<"$task")"
}

purge() {
    local language version image
    list | while IFS=$'\t' read -r language version image; do
        delete "$language" "$version" "$image"
    done
}

"$@"
