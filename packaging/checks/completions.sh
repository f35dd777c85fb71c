#!/usr/bin/env bash
# Checks the completions by the shells themselves, and the man page.
# shellcheck disable=SC2154 # packaging/check sets the shared variables

# Each shell completes commands, options before and after them, and the values that need no request.

# prepare SHELL: generates the completions, and creates the files that they should find.
prepare() {
    packaging/docs.sh
    mkdir -p "$scratch/$1"/{.rsconnect-python,config/rsconnect-python}
    touch "$scratch/$1/pem-file"
    # As rsconnect writes it: json.dumps(data, indent=4).
    cat >"$scratch/$1/.rsconnect-python/servers.json" <<'END'
{
    "production": {
        "name": "production",
        "url": "https://connect.example.com",
        "api_key": "production-key",
        "insecure": false,
        "ca_cert": null
    },
    "two words": {
        "url": "https://connect.example.com",
        "api_key": "two-words-key"
    },
    "a`touch run`b": {
        "url": "https://connect.example.com",
        "api_key": "a-key"
    },
    "caf\u00e9": {
        "url": "https://connect.example.com",
        "api_key": "an-escape-key"
    }
}
END
    sed 's/production/elsewhere/; 8,$d' "$scratch/$1/.rsconnect-python/servers.json" >"$scratch/$1/config/rsconnect-python/servers.json"
}

check_bash() {
    prepare bash
    (cd "$scratch/bash" && HOME=$PWD XDG_CONFIG_HOME='' bash --noprofile --norc "$OLDPWD/packaging/checks/complete.bash" "$OLDPWD/dist/completions/connect-cache.bash")
}

check_zsh() {
    prepare zsh
    mkdir "$scratch/zsh/fpath"
    cp dist/completions/_connect-cache "$scratch/zsh/fpath"
    (cd "$scratch/zsh" && HOME=$PWD XDG_CONFIG_HOME='' TERM=dumb zsh -f "$OLDPWD/packaging/checks/complete.zsh" "$PWD/fpath")
}

check_fish() {
    prepare fish
    (cd "$scratch/fish" && HOME=$PWD fish --no-config "$OLDPWD/packaging/checks/complete.fish" "$OLDPWD/dist/completions/connect-cache.fish")
}

check_man() {
    packaging/docs.sh
    local page=dist/man/connect-cache.1 warnings
    warnings=$(MANROFFSEQ='' man --warnings --encoding=UTF-8 --local-file "$page" 2>&1 >"$scratch/man/page")
    echo "$warnings"
    [ -z "$warnings" ]
    mandoc -T lint "$page"
    echo "man and mandoc report nothing; $(wc -l <"$scratch/man/page") lines"
}
