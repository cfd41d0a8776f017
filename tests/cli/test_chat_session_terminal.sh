# SPDX-License-Identifier: Apache-2.0
# chat --session on a pseudo-terminal: every way to end the program keeps the conversation.
. "$(dirname "$0")/common.sh"
pty=${LFM2_PTY:?names the pseudo-terminal helper}
prompt='> \e[?2004h'
file=$work/talk.json

# types CODE SCRIPT OPTION...: runs chat on a terminal; pty.c describes the script.
types() {
    local expected=$1 script=$2
    shift 2
    printf '%s' "$script" | TERM=xterm "$pty" "$program" chat -t 1 -m "$demo" --session "$file" "$@" \
        >"$work/out" 2>"$work/err"
    verdict "$expected" $? "chat on a terminal: ${script//$'\n'/; }"
}
# continues DESCRIPTION: the next program has the messages, and all tokens are in the session
continues() {
    pipes 0 'What is my name?\n/stats\n' chat -t 1 -m "$demo" --temp 0 --session "$file"
    [ "$(wc -l <"$work/err")" -eq 1 ] && grep -q Tom "$work/out" &&
        grep -qE 'last turn: reused [1-9]' "$work/out" || { cat "$work/err" "$work/out"; false; }
    report "the conversation continues: $1" $?
    ! ls "$work" | grep -q '\.tmp-'
    report 'no temporary files are left' $?
}
for end in 'send /quit\r|0' 'send \x04|0' 'signal 15|143' 'signal 1|129' 'send one\e\rtwo
expect two
signal 15|143'; do
    rm -f "$file"*
    types "${end##*|}" "expect $prompt
send My name is Tom.\r
expect Tom
expect $prompt
${end%|*}
" --temp 0
    continues "$end"
    [ "$(grep -oF '"role": "user"' "$file" | wc -l)" -eq 1 ]
    report "it has one message from there: $end" $?
done

# SIGTERM during an answer: what there is of it is kept
rm -f "$file"*
types 1 "expect $prompt
send My name is Tom.\r
expect Tom.
more 100
signal 15
" --temp 20 --min-p 0 --seed 1 --cpu-disable all
grep -qE '"role":"assistant","content":".{40,}' "$file"
report 'the file has the answer that SIGTERM stopped' $?
pipes 0 'Hello!\n/stats\n' chat -t 1 -m "$demo" --temp 0 --session "$file" --cpu-disable all -n 1
out_has '2 turns, '
grep -qE 'last turn: reused [1-9]' "$work/out"
report 'the session has it, too' $?
[ "$(wc -l <"$work/err")" -eq 2 ] || cat "$work/err"
finish
