# Checks the completions of fish: complete.fish FILE
source $argv[1]; or exit 1
set -g requests 0

# completes LINE EXPECTED: checks that EXPECTED is offered.
function completes
    set -l offered (complete -C $argv[1] 2>&1 | string split -f 1 \t)
    if not contains -- $argv[2] $offered
        echo "$argv[1]: $offered, no $argv[2]"
        exit 1
    end
    set requests (math $requests + 1)
end

completes 'connect-cache de' delete
completes 'connect-cache --ser' --server
completes 'connect-cache delete --dry' --dry-run
completes 'connect-cache delete --ser' --server
completes 'connect-cache -n test purge --orph' --orphaned
completes 'connect-cache list --cacert pem' pem-file
completes 'connect-cache purge --from pem' pem-file
completes 'connect-cache -n list delete --dry' --dry-run
completes 'connect-cache delete --language=P' --language=Python

# offers LINE EXPECTED...: checks that EXPECTED is everything that is offered, in any order.
function offers
    set -l offered (complete -C $argv[1] 2>&1 | string split -f 1 \t | sort)
    if test "$offered" != "$argv[2..]"
        echo "$argv[1]: not $argv[2..], but $offered"
        exit 1
    end
    set requests (math $requests + 1)
end

offers 'connect-cache ' check delete list purge task
offers 'connect-cache list '
offers 'connect-cache list -V '
offers 'connect-cache list -l ' Python R
offers 'connect-cache -n ' 'a`touch run`b' production 'two words'
if test -e run
    echo 'a name was run'
    exit 1
end
set -gx XDG_CONFIG_HOME $PWD/config
offers 'connect-cache -n ' elsewhere
if complete -C 'connect-cache list pem' | grep pem-file
    echo 'a file is offered where none is wanted'
    exit 1
end
echo "fish $version completes as expected, $requests times"
