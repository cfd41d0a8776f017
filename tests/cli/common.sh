# SPDX-License-Identifier: Apache-2.0
# Helpers of the shell tests. Each test_*.sh sources this file and ends with `finish`.
# LFM2_PROGRAM is the path of the program, LFM2_DEMO_MODEL that of the demo model.
set -u
program=${LFM2_PROGRAM:?names the lfm2 program}
demo=${LFM2_DEMO_MODEL:?names the demo model}
work=$(mktemp -d "${TMPDIR:-/tmp}/lfm2-cli-XXXXXX")
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
checks=0
failures=0

# report DESCRIPTION STATUS
report() {
    checks=$((checks + 1))
    if [ "$2" -ne 0 ]; then
        failures=$((failures + 1))
        echo "not ok: $1"
    fi
}

# verdict EXPECTED CODE DESCRIPTION: checks an exit code. A sanitizer report is always a failure.
verdict() {
    if [ "$2" -ne "$1" ] || grep -qE 'Sanitizer|runtime error:' "$work/err"; then
        head -n 5 "$work/err"
        report "$3 exits with $1 (got $2)" 1
    else
        report "$3 exits with $1" 0
    fi
}

# exits CODE ARGUMENT...: runs the program, with its output in $work/out and $work/err.
exits() {
    local expected=$1
    shift
    "$program" "$@" >"$work/out" 2>"$work/err" </dev/null
    verdict "$expected" $? "lfm2 $*"
}

# pipes CODE INPUT ARGUMENT...: the same with INPUT (printf format) on standard input.
pipes() {
    local expected=$1 input=$2
    shift 2
    # shellcheck disable=SC2059
    printf "$input" | "$program" "$@" >"$work/out" 2>"$work/err"
    verdict "$expected" "${PIPESTATUS[1]}" "... | lfm2 $*"
}

# Check for a fixed text in the output or the messages.
out_has() {
    grep -qF -- "$1" "$work/out"
    report "standard output has: $1" $?
}
out_lacks() {
    ! grep -qF -- "$1" "$work/out"
    report "standard output lacks: $1" $?
}
err_has() {
    grep -qF -- "$1" "$work/err"
    report "standard error has: $1" $?
}
out_empty() {
    [ ! -s "$work/out" ]
    report "standard output is empty" $?
}
err_empty() {
    [ ! -s "$work/err" ] || { head -n 3 "$work/err"; false; }
    report "standard error is empty" $?
}

# wait_for TEXT FILE: waits up to a minute for the text.
wait_for() {
    local i
    for i in $(seq 1200); do
        ! grep -qF -- "$1" "$2" || return 0
        sleep 0.05
    done
    report "$(basename "$2") has in time: $1" 1
}

# interrupted DESCRIPTION: sends SIGINT to $pid, which has a minute to end.
interrupted() {
    local i
    kill -INT "$pid"
    for i in $(seq 600); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null
    wait "$pid"
    verdict 1 $? "$1, interrupted,"
    err_has 'interrupted'
}

# The output is exactly this text (printf format).
out_is() {
    # shellcheck disable=SC2059
    printf "$1" | cmp -s - "$work/out" || { head -c 300 "$work/out"; false; }
    report "standard output is: $1" $?
}

# same DESCRIPTION FILE FILE
same() {
    cmp -s "$2" "$3"
    report "$1" $?
}

# The output is one JSON value: replaces strings, numbers and words with V, then arrays and objects,
# until a single V is left. (Strings must not contain control characters; UTF-8 is not checked.)
out_is_json() {
    local left
    left=$(tr -d '\n' <"$work/out" | sed -E '
        s/"([^"\\[:cntrl:]]|\\["\\\/bfnrt]|\\u[0-9a-f]{4})*"/S/g
        s/-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/V/g
        s/true|false|null/V/g
        s/ //g
        :again
        s/\{(S:[VS](,S:[VS])*)?\}/V/g
        t again
        s/\[([VS](,[VS])*)?\]/V/g
        t again')
    [ "$left" = V ] || { echo "left of the JSON: ${left:0:200}"; false; }
    report "standard output is JSON" $?
}

# tokenizer_folder FOLDER: makes a folder with a small tokenizer.json and nothing else.
tokenizer_folder() {
    local bytes other byte
    mkdir "$1"
    # the characters of the byte-level alphabet: printable bytes, then 256 and more for the other ones
    bytes=$(other=256; for byte in $(seq 0 255); do
        if [ "$byte" -gt 32 ] && [ "$byte" -lt 127 ] || [ "$byte" -gt 160 ] && [ "$byte" -ne 173 ]; then
            printf '"\\u%04x": %d, ' "$byte" $((byte + 1))
        else
            printf '"\\u%04x": %d, ' "$other" $((byte + 1))
            other=$((other + 1))
        fi
    done)
    cat >"$1/tokenizer.json" <<END
{"added_tokens": [{"id": 0, "content": "<|startoftext|>", "special": true}], "normalizer": null,
"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "behavior": "Isolated", "pattern":
{"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"}},
{"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]}, "decoder": {"type": "ByteLevel"},
"model": {"type": "BPE", "vocab": {"<|startoftext|>": 0, $bytes"ab": 257}, "merges": ["a b"]}}
END
}

finish() {
    echo "$checks checks, $failures failed"
    [ "$failures" -eq 0 ]
    exit
}
