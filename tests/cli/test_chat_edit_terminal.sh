# SPDX-License-Identifier: Apache-2.0
# The commands of chat on a pseudo-terminal: /edit in the line editor, Ctrl-C during /retry.
. "$(dirname "$0")/common.sh"
pty=${LFM2_PTY:?names the pseudo-terminal helper}
prompt='> \e[?2004h'

# types CODE SCRIPT OPTION...: runs chat on a terminal; pty.c describes the script.
types() {
    local expected=$1 script=$2
    shift 2
    printf '%s' "$script" | TERM=xterm "$pty" "$program" chat -t 1 -m "$demo" "$@" \
        >"$work/out" 2>"$work/err"
    verdict "$expected" $? "chat on a terminal: ${script//$'\n'/; }"
}
# saved FILE TEXT: the file has a message of the user with this JSON text, which is the only one
saved() {
    [ "$(grep -oF '"role":"user"' "$work/$1" | wc -l)" -eq 1 ] &&
        grep -qF "{\"role\":\"user\",\"content\":\"$2\"}" "$work/$1" || { cat "$work/$1"; false; }
    report "the message is $2" $?
}

# the last message is in the line: the end of it is changed
types 0 "expect $prompt
send My name is Ann.\r
expect $prompt
send /edit\r
expect > My name is Ann.
expect \e[?2004h
send \x7f\x7f\x7f\x7fTom.\r
expect Tom
expect $prompt
send What is my name?\r
expect Tom
expect $prompt
send /undo\r
expect removed the last message
expect $prompt
send /save $work/a.json\r
expect saved 2 messages
expect $prompt
send /quit\r
" --temp 0
saved a.json 'My name is Tom.'

# two lines, other scripts, a control character: the text stays the same, and it is no command and no block
for text in 'one\e\rtw\xc3\xb6|one\ntwö' '\e[200~a\x1b[5000~b\e[201~|a\u001b[5000~b' '//undo|/undo' \
    '\xe4\xbd\xa0\xe5\xa5\xbd|你好'; do
    types 0 "expect $prompt
send ${text%|*}\r
expect $prompt
send /edit\r
expect \e[?2004h
send x\r
expect $prompt
send /save $work/b.json\r
expect saved 2 messages
expect $prompt
send \x04
" --temp 0 -n 1
    saved b.json "${text#*|}x"
done

# Ctrl-C, Ctrl-D and an empty line discard the changes
types 0 "expect $prompt
send Hello!\r
expect $prompt
send /edit\r
expect > Hello!
expect \e[?2004h
send and more
expect and more
signal 2
expect the message stays as it is
expect $prompt
send /edit\r
expect > Hello!
expect \e[?2004h
send \x15\x04
expect the message stays as it is
expect $prompt
send /edit\r
expect > Hello!
expect \e[?2004h
send \x15\r
expect the message stays as it is
expect $prompt
send /stats\r
expect 1 turn,
expect $prompt
send /save $work/c.json\r
expect saved 2 messages
expect $prompt
send /quit\r
" --temp 0
saved c.json 'Hello!'

# before any message; a long message; failed commands do not change the exit code
types 0 "expect $prompt
send /edit\r
expect /edit: there is no message yet
expect $prompt
send /system You help.\r
expect $prompt
send \e[200~
fill 5000 some words in a long message 
send \e[201~\r
expect $prompt
send /edit\r
expect some words i\e[?2004h
send  end\r
expect $prompt
send /save $work/d.json\r
expect saved 3 messages
expect $prompt
send /switch 9\r
expect there is no conversation 9
expect $prompt
send /quit\r
" --temp 0 -n 1
[ "$(grep -oF 'some words in a long message' "$work/d.json" | wc -l)" -eq 172 ] && grep -qF 'some words i end"' "$work/d.json"
report 'a long message is edited' $?

# Ctrl-C during /retry: the answer so far replaces the one before. With the scalar kernels an answer takes
# half a minute.
long=(--temp 20 --min-p 0 --seed 1 --cpu-disable all)
types 0 "expect $prompt
send Hello!\r
expect Hello!
more 100
signal 2
expect stopped: interrupted
expect $prompt
send /retry\r
expect /retry
more 100
signal 2
expect stopped: interrupted
expect $prompt
send /stats\r
expect 1 turn,
expect ended by cancelled
expect $prompt
send /fork\r
expect conversation 2, a copy of 1
expect $prompt
send /retry\r
expect /retry
more 100
signal 2
expect stopped: interrupted
expect $prompt
send /switch\r
expect   1, 1 turn
expect * 2, 1 turn
expect $prompt
send /quit\r
" "${long[@]}"
finish
