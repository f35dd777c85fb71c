#!/usr/bin/env bash
# Asks bash for completions: complete.bash FILE
set -eu
# shellcheck source=/dev/null
. "$1"
asked=0

# completes WORD... EXPECTED: the last of the words is being typed.
completes() {
    local words=("${@:1:$#-1}") expected=${*: -1}
    COMP_WORDS=("${words[@]}")
    COMP_CWORD=$((${#words[@]} - 1))
    COMPREPLY=()
    # The function that complete -F was told of, and what -o default adds: files.
    "$(complete -p connect-cache | sed 's/.*-F \([^ ]*\).*/\1/')"
    [ ${#COMPREPLY[@]} != 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "${words[-1]}")
    [[ " ${COMPREPLY[*]} " = *" $expected "* ]] || { echo "${words[*]}: ${COMPREPLY[*]}, no $expected"; exit 1; }
    asked=$((asked + 1))
}

complete -p connect-cache
completes connect-cache de delete
completes connect-cache --ser --server
completes connect-cache delete --dry --dry-run
completes connect-cache delete --ser --server
completes connect-cache -n test purge --orph --orphaned
completes connect-cache list --cacert pem pem-file
cmd=untouched
completes connect-cache che check
[ "$cmd" = untouched ]
echo "bash $BASH_VERSION completes what it should, asked $asked times"
