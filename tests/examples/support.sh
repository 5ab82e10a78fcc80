# Sourced by the scripts of this folder with their arguments, BIN_DIR WORK_DIR: programs in the background, waiting for
# what they print or write, comparing. A check that fails says why and ends the script.
set -euo pipefail
bin=$1 work=$2
rm -rf "$work"
mkdir -p "$work"
for variable in $(compgen -e SLUICE_); do unset "$variable"; done

background=()
trap '[ ${#background[@]} = 0 ] || kill -KILL "${background[@]}" 2>/dev/null || true' EXIT

fail() {
    echo "$(basename "$0"), line ${BASH_LINENO[1]}: $*" >&2
    exit 1
}

# same ACTUAL_FILE EXPECTED_FILE
same() { diff "$1" "$2" >&2 || fail "$1 is not what it should be, which is the right side"; }

# contains FILE TEXT
contains() { grep -qF -- "$2" "$1" || fail "$1 does not contain \"$2\" but: $(cat "$1")"; }

# ends STATUS COMMAND...: its output goes to $work/out and $work/err.
ends() {
    local wanted=$1 status=0
    shift
    "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" = "$wanted" ] || fail "exit status $status instead of $wanted: $* $(cat "$work/err")"
}

# start NAME COMMAND...: in the background. What it prints can be waited for.
start() {
    local name=$1
    shift
    rm -f "$work/$name.pipe"
    mkfifo "$work/$name.pipe"
    "$@" >"$work/$name.pipe" 2>"$work/$name.err" &
    background+=($!)
    declare -g "${name}_pid=$!"
    exec {descriptor}<"$work/$name.pipe"
    declare -g "${name}_out=$descriptor"
}

# printed NAME TEXT: waits until it has printed a line that begins so; the line is in $line.
printed() {
    local descriptor=${1}_out
    while read -r -t 60 -u "${!descriptor}" line; do
        case $line in "$2"*) return ;; esac
    done
    fail "$1 has not printed \"$2\": $(cat "$work/$1.err")"
}

# stopped NAME SIGNAL STATUS: sends the signal, waits for the end.
stopped() {
    local pid=${1}_pid status=0
    kill "-$2" "${!pid}"
    wait "${!pid}" || status=$?
    [ "$status" = "$3" ] || fail "$1 ended with $status instead of $3: $(cat "$work/$1.err")"
}

# start_gateway [ARG...]: its variables are exported.
start_gateway() {
    local assignment
    start gateway "$bin/04_gateway" "$@"
    while printed gateway ''; do
        case $line in
        '# ready') break ;;
        SLUICE_*=*) export "${line?}" ;;
        esac
    done
}

# recorded STREAM MEMBER: that member, a string or a number, of every message of the global stream in $work/record, as it
# stands in JSON.
recorded() {
    grep -F "\"topic\":\"persistent://demo/c8global._system/c8globals.$1\"" "$work/record" |
        sed -E "s/^.*\"$2\"://; s/^(\"([^\"\\\\]|\\\\.)*\"|-?[0-9]+).*/\1/"
}
quoted() { sed 's/.*/"&"/'; }

# are_recorded STREAM N: waits until the gateway has recorded so many messages of it.
are_recorded() {
    local tries
    for ((tries = 0; tries < 3000; ++tries)); do
        [ "$(recorded "$1" payload | wc -l)" -lt "$2" ] || return 0
        sleep 0.02
    done
    fail "$work/record has $(recorded "$1" payload | wc -l) messages of $1 instead of $2"
}
