# Sourced by scripts that run several commands, each of which ends with "N passed, N failed", and add up.
passed=0 failed=0

# tally COMMAND...: shows what the command prints and adds its counts. Without counts, or with an exit status that
# contradicts them, it is one failure more; exit status 77 says that it cannot be run here. Leaves the counts, or why
# there are none, in tally_line.
tally() {
    local log status=0
    log=$(mktemp)
    { "$@" 2>&1 | tee "$log"; } || status=$?
    tally_line=$(tail -n 1 "$log")
    rm -f "$log"
    [ "$status" != 77 ] || echo "not run: $*"
    if [[ $tally_line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
        case $status:${BASH_REMATCH[2]} in
        0:* | 77:0) ;;
        *:0) failed=$((failed + 1)) ;;
        esac
    else
        tally_line="no result, exit status $status"
        failed=$((failed + 1))
    fi
}

# tally_end: the sum, and the exit status that it means.
tally_end() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}
