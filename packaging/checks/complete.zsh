# Checks the completions of zsh: complete.zsh FOLDER-OF-FPATH
#
# An interactive zsh on a pseudo-terminal loads the completions as a user's does. The result of Tab is read from the
# command line itself, since each case has one match.
zmodload zsh/zpty || exit 1
zpty -b shell "env PS1='> ' zsh -f -i"
requests=0

type_line() { zpty -w shell "$1" }

# await PATTERN: reads output until the pattern matches it.
await() {
    local chunk end=$((SECONDS + 20))
    seen=
    while [[ $seen != *$~1* ]]; do
        if zpty -r -t shell chunk; then seen+=$chunk; else sleep 0.05; fi
        if (( SECONDS > end )); then
            print -r -- "waited for $1, saw: ${(V)seen}"
            exit 1
        fi
    done
}

# Control-X shows the current line, and clears it.
type_line "unsetopt beep; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; zstyle ':completion:*' menu no"
type_line 'show() { print -r -- "LINE<$BUFFER>"; BUFFER= }; zle -N show; bindkey "^X" show; bindkey "^I" complete-word'
type_line 'print rea''dy'
await ready

# completes LINE RESULT: checks that Tab turns LINE into RESULT.
completes() {
    zpty -n -w shell "$1"$'\t'
    zpty -n -w shell $'\C-x'
    await "LINE<${(b)2}"
    (( requests++ ))
}

# offers LINE PATTERN: checks that the list after Control-D matches PATTERN, and contains no option and no key.
offers() {
    zpty -n -w shell "$1"$'\C-d'
    zpty -n -w shell $'\C-x'
    await 'LINE<'
    [[ $seen = *$~2* && $seen != *--server* && $seen != *-key* ]] || { print -r -- "$1: ${(V)seen}"; exit 1 }
    (( requests++ ))
}

completes 'connect-cache de' 'connect-cache delete'
completes 'connect-cache --ser' 'connect-cache --server'
completes 'connect-cache delete --dry' 'connect-cache delete --dry-run'
completes 'connect-cache delete --ser' 'connect-cache delete --server'
completes 'connect-cache -n test purge --orph' 'connect-cache -n test purge --orphaned'
completes 'connect-cache list --cacert pem' 'connect-cache list --cacert pem-file'
completes 'connect-cache purge --from pem' 'connect-cache purge --from pem-file'
completes 'connect-cache -n list delete --dry' 'connect-cache -n list delete --dry-run'
completes 'connect-cache list -l P' 'connect-cache list -l Python'
completes 'connect-cache delete --language=P' 'connect-cache delete --language=Python'
completes 'connect-cache -n pr' 'connect-cache -n production'
completes 'connect-cache list --name=two' 'connect-cache list --name=two\ words'
offers 'connect-cache ' '*check*delete*list*purge*task*'
offers 'connect-cache list -l ' '*Python  R*'
offers 'connect-cache list ' '*'
offers 'connect-cache -n ' '*production*'
# No command in a name runs.
[[ ! -e run ]] || exit 1
zpty -d shell
print "zsh $ZSH_VERSION completes as expected, $requests times"
