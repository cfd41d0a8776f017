# SPDX-License-Identifier: Apache-2.0
# chat on a pseudo-terminal: pastes, blocks, Ctrl-C, and the settings of the terminal afterwards.
. "$(dirname "$0")/common.sh"
pty=${LFM2_PTY:?names the pseudo-terminal helper}

# The program turns bracketed paste mode on right after a prompt, when it is ready for input. It does so
# between prompts as well, so the escape sequence alone is not a prompt. `more` is the prompt of a block.
prompt='> \e[?2004h'
more='. \e[?2004h'

# types CODE SCRIPT OPTION...: runs chat on a terminal; pty.c describes the script.
types() {
    local expected=$1 script=$2
    shift 2
    printf '%s' "$script" | TERM=xterm "$pty" "$program" chat -t 1 -m "$demo" "$@" \
        >"$work/out" 2>"$work/err"
    verdict "$expected" $? "chat on a terminal: ${script//$'\n'/; }"
    # bracketed paste mode is off at the end
    [ "$(grep -aoE '\[\?2004[hl]' "$work/out" | tail -n 1)" = '[?2004l' ]
    report 'bracketed paste mode is off' $?
}

# prompt_tokens FILE: the number of prompt tokens of the first turn, from the messages of -v
prompt_tokens() {
    tokens=$(sed -n 's/.*prompt: \([0-9]*\) tokens in.*/\1/p' "$1" | head -n 1)
}

# a paste of several lines is one message, the same as a block
pipes 0 '"""What is\n\n1 plus 1?\nend"""\n' chat -t 1 -m "$demo" --temp 0 -v
prompt_tokens "$work/err"
expected=$tokens
for paste in 'What is\r\r1 plus 1?\rend' 'What is\r\n\r\n1 plus 1?\r\nend\r\n' \
    'What is\n\n1 plus 1?\nend\n' 'What\x00 is\r\r1 plus 1?\rend\r'; do
    types 0 "expect $prompt
send \e[200~$paste\e[201~
expect end
send \r
expect $prompt
send /stats\r
expect 1 turn,
expect $prompt
send /quit\r
" --temp 0 -v
    prompt_tokens "$work/out"
    [ "$tokens" = "$expected" ]
    report "a paste is one message ($tokens tokens): $paste" $?
done

# typed text before and after pastes is part of the message
pipes 0 '"""What is\n1 plus 1? Go!"""\n' chat -t 1 -m "$demo" --temp 0 -v
prompt_tokens "$work/err"
expected=$tokens
types 0 "expect $prompt
send What \e[200~is\r1 plus\e[201~\e[200~ 1?\e[201~ Go!\r
expect $prompt
send /EXIT \r
" --temp 0 -v
prompt_tokens "$work/out"
[ "$tokens" = "$expected" ]
report 'typed and pasted text together' $?

# incomplete end sequences in a paste, bytes that are not UTF-8, CR at the end
types 0 "expect $prompt
send \e[200~a \e[201x \e\e[20 \xff\xc3( \xe4\xbd\xa0\xc3\xa9\r\e\e[201~
expect \xef\xbf\xbd\xef\xbf\xbd( \xe4\xbd\xa0
send \r
expect $prompt
send /stats\r
expect 1 turn,
expect $prompt
send /bye\r
" --temp 0

# Alt-Enter, the history (a message of two lines is one entry), a command in a paste
types 0 "expect $prompt
send one\e\rtwo\r
expect $prompt
send \e[A\r
expect $prompt
send \e[200~/stats\e[201~\r
expect 2 turns
expect $prompt
send /quit\r
" --temp 0

# blocks: with several lines, ended by Ctrl-D, discarded by Ctrl-C
types 0 "expect $prompt
send \"\"\"one\r
expect $more
send /quit\r
expect $more
send two\"\"\"\r
expect $prompt
send /stats\r
expect 1 turn,
expect $prompt
send \"\"\"three\r
expect $more
send \x04
expect $prompt
send /stats\r
expect 2 turns
expect $prompt
send \"\"\"four\r
expect $more
send five
expect five
signal 2
expect $prompt
send /stats\r
expect 2 turns
expect $prompt
send \x04
" --temp 0

# a paste of 1 MB
types 0 "expect $prompt
send \e[200~
fill 1000000 sixty-three characters of text and a carriage return behind it\r
send \e[201~\r
expect the message needs 
expect $prompt
send /stats\r
expect 0 turns
expect $prompt
send /quit\r
" --temp 0

# An answer that is interrupted: random tokens until the context is full, which takes half a minute with
# the scalar kernels.
long=(--temp 20 --min-p 0 --seed 1 --cpu-disable all)

# Ctrl-C stops an answer and the conversation continues; twice at an empty prompt, it quits
# (Sent as signals: the key also makes the driver discard output.)
types 0 "expect $prompt
send Hello!\r
expect Hello!
more 100
signal 2
expect stopped: interrupted
expect $prompt
send /stats\r
expect ended by cancelled
expect $prompt
send some words
expect some words
signal 2
expect $prompt
signal 2
expect press Ctrl-C again
expect $prompt
send /stats\r
expect 1 turn,
expect $prompt
signal 2
expect press Ctrl-C again
expect $prompt
send /quit\r
" "${long[@]}"
types 1 "expect $prompt
signal 2
expect press Ctrl-C again
expect $prompt
signal 2
"

# What is typed or pasted during an answer waits for the next prompt: lines, a paste, Ctrl-D.
types 0 "expect $prompt
send Hello!\r
expect Hello!
more 100
send /stats\r\e[200~one\rtwo\e[201~\r/stats\r\x04
signal 2
expect stopped: interrupted
expect 1 turn,
expect 2 turns,
" "${long[@]}" -n 200

# signals at the prompt and in an answer; `pty` compares the terminal's settings at the end
for signal in 1 3 15; do
    types $((128 + signal)) "expect $prompt
send half a line
expect half a line
signal $signal
"
done
types 1 "expect $prompt
send Hello!\r
expect Hello!
more 100
signal 15
" "${long[@]}"

for signal in 1 3; do
    types $((128 + signal)) "expect $prompt
send Hello!\r
expect Hello!
more 100
signal $signal
" "${long[@]}"
done

# a terminal without escape sequences gets none
printf '%s' 'expect > 
send Hello!\r
expect > 
send /quit\r
' | TERM=dumb "$pty" "$program" chat -t 1 -m "$demo" --temp 0 >"$work/out" 2>"$work/err"
verdict 0 $? 'chat on a dumb terminal'
out_lacks '2004'
finish
