# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Messages, clean-up and child processes of tools/bench/compare. To be sourced.

say() {
    printf 'compare: %s\n' "$*" >&2
}

# fail LINE...: what went wrong, then what to do. Ends the script with exit code 1.
fail() {
    printf '\ncompare: %s\n' "$1" >&2
    shift
    if [ $# -gt 0 ]; then
        printf '         %s\n' "$@" >&2
    fi
    exit 1
}

wrong_use() {
    printf "compare: %s\nTry 'tools/bench/compare --help'.\n" "$1" >&2
    exit 2
}

work=''
child=''
clean_up() {
    if [ -n "$child" ]; then
        kill -- "-$child" 2>/dev/null
        wait "$child" 2>/dev/null
    fi
    if [ -n "$work" ]; then
        rm -rf -- "$work"
    fi
}
trap clean_up EXIT
trap 'say interrupted; exit 130' INT
trap 'exit 143' TERM HUP

# Every long command runs in the background in its own process group: bash handles a signal only
# when a foreground command ends, and clean_up kills the whole group.
wait_for_child() {
    local code
    wait "$child"
    code=$?
    child=''
    return "$code"
}

command_line=''
begin() { # COMMAND...
    local all="$*"
    command_line=${all#"${llama[*]} "}
    [ -z "$verbose" ] || printf '    %s\n' "$all" >&2
    setsid "$@" >"$work/out" 2>"$work/err" </dev/null &
    child=$!
}

run() { # COMMAND...: standard output goes to $work/out, standard error to $work/err
    begin "$@"
    wait_for_child
}

shown_run() { # COMMAND...: its output goes to standard error, for the user
    setsid "$@" >&2 </dev/null &
    child=$!
    wait_for_child
}

logged() { # COMMAND...: its output is appended to $work/sid.log
    setsid "$@" >>"$work/sid.log" 2>&1 </dev/null &
    child=$!
    wait_for_child
}

complain() { # WHAT
    say "$1 failed:"
    tail -n 5 "$work/err" >&2
}

# need_disk GB WHAT: fails unless the cache folder has GB gigabytes of free space for WHAT.
need_disk() {
    local free
    free=$(df -Pk "$cache" | awk 'NR == 2 { print int($4 / 1e6) }')
    [ "${free:-0}" -ge "$1" ] || fail "$2 takes $1 GB; $cache has $free GB of free space." \
        "Name a folder on another disk with --cache DIR."
}
