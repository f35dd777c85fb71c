#!/usr/bin/env bash
# Checks the completions of bash: complete.bash FILE
set -eu
# shellcheck source=/dev/null
. "$1"
requests=0

# Records that bash offers files if the function offers nothing (compopt -o default).
compopt() { files=1; }

# request WORD...: completes the last of the words.
request() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=() files=
    # Call the function that `complete -F` registered.
    "$(complete -p connect-cache | sed 's/.*-F \([^ ]*\).*/\1/')"
    [ -z "$files" ] || mapfile -t COMPREPLY < <(compgen -f -- "${!#}")
    requests=$((requests + 1))
}

# completes WORD... EXPECTED: checks that EXPECTED is offered.
completes() {
    request "${@:1:$#-1}"
    [[ " ${COMPREPLY[*]} " = *" ${!#} "* ]] || { echo "$*: no ${!#} in: ${COMPREPLY[*]}"; exit 1; }
}

# offers EXPECTED WORD...: checks that EXPECTED is everything that is offered.
offers() {
    request "${@:2}"
    [ "${COMPREPLY[*]}" = "$1" ] || { echo "${*:2}: not '$1' but '${COMPREPLY[*]}'"; exit 1; }
}

complete -p connect-cache
completes connect-cache de delete
completes connect-cache --ser --server
completes connect-cache delete --dry --dry-run
completes connect-cache delete --ser --server
completes connect-cache -n test purge --orph --orphaned
completes connect-cache list --cacert pem pem-file
completes connect-cache purge --from pem pem-file
# Here `list` is a value and not a command.
completes connect-cache -n list delete --dry --dry-run
offers 'list delete purge task check' connect-cache ''
offers 'list delete purge task check' connect-cache -q ''
offers '' connect-cache list ''
offers '' connect-cache list pem
offers '' connect-cache list -V ''
offers 'R Python' connect-cache list -l ''
offers 'Python' connect-cache delete --language = P
offers 'R Python' connect-cache delete --language =
# Names are quoted for the shell, and no command in a name runs.
# shellcheck disable=SC2016 # the name as it has to be typed
offers 'production two\ words a\`touch\ run\`b' connect-cache -n ''
offers 'two\ words' connect-cache list --name = 'two\ w'
[ ! -e run ]
XDG_CONFIG_HOME=$PWD/config offers 'elsewhere' connect-cache -n ''
HOME=$PWD/none offers '' connect-cache -n ''
cmd=untouched
completes connect-cache che check
[ "$cmd" = untouched ]
echo "bash $BASH_VERSION completes as expected, $requests times"
