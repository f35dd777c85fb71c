#!/usr/bin/env bash
# The completions, asked for by the shells themselves, and the man page.
# shellcheck disable=SC2154 # packaging/check sets what they share

# For each shell: a command by its beginning, an option behind a command, one of every command before and
# behind it, and a file after an option that wants one.
check_bash() {
    packaging/docs.sh
    (cd "$scratch/bash" && touch pem-file && bash --noprofile --norc "$OLDPWD/packaging/checks/complete.bash" "$OLDPWD/dist/completions/connect-cache.bash")
}

check_zsh() {
    packaging/docs.sh
    mkdir "$scratch/zsh/fpath"
    cp dist/completions/_connect-cache "$scratch/zsh/fpath"
    (cd "$scratch/zsh" && touch pem-file && HOME=$PWD TERM=dumb zsh -f "$OLDPWD/packaging/checks/complete.zsh" "$PWD/fpath")
}

check_fish() {
    packaging/docs.sh
    (cd "$scratch/fish" && touch pem-file && HOME=$PWD fish --no-config "$OLDPWD/packaging/checks/complete.fish" "$OLDPWD/dist/completions/connect-cache.fish")
}

check_man() {
    packaging/docs.sh
    local page=dist/man/connect-cache.1 warnings rendered
    warnings=$(MANROFFSEQ='' man --warnings --encoding=UTF-8 --local-file "$page" 2>&1 >/dev/null)
    echo "$warnings"
    [ -z "$warnings" ]
    mandoc -T lint "$page"
    rendered=$(MANWIDTH=100 man --local-file "$page")
    for heading in NAME SYNOPSIS DESCRIPTION COMMANDS OPTIONS ENVIRONMENT 'EXIT STATUS' FILES EXAMPLES 'SEE ALSO'; do
        grep -qx "$heading" <<<"$rendered" || { echo "no $heading"; return 1; }
    done
    echo "man and mandoc report nothing; $(wc -l <<<"$rendered") lines"
}
