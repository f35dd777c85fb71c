#!/usr/bin/env bash
# Rejects misspelled words, British spelling, and words that have a better one: tests/words.sh
set -euo pipefail
cd "$(dirname "$0")/.."
# Texts of others, and lists that programs write.
files=(':!LICENSE-*' ':!*.lock' ':!*package-lock.json' ':!docs/*.svg' ':!tests/interop/connect-api.yaml' ':!tests/words.sh'
    ':!tests/fuzz/corpus')
status=0

# Words joined by underscores are words too. The ignored ones are typing errors in tests and parts of other words.
git ls-files -z -- "${files[@]}" | xargs -0 codespell --builtin clear,en-GB_to_en-US --regex '[A-Za-z]+' \
    --ignore-words-list caf,chekc,ede,fo,keypair,lsit,proxys,pyhton,ser,te,ue || status=1

while read -r better words; do
    # A line break may be between two words of a comment; that goes unnoticed.
    if git grep -nIiwE -e "$words" -- "${files[@]}"; then
        echo "words: write '${better//_/ }' instead of '$words'" >&2
        status=1
    fi
done <<'END'
under beneath
separated parted
honor heed|heeds|heeded
should had better
prefer better use|better be
whitespace white space
timeout time-outs?
backoff back-offs?
everything_else all else
at_your_option as you like
what_happened_to what became of
succeeded ended well|ends well
failed ended badly|ends badly
running at work
continues goes on
resume takes? it up|takes? one up|taken up
reports tells of
what_really_happened with the truth
END
exit $status
