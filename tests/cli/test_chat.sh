# SPDX-License-Identifier: Apache-2.0
# chat through a pipe: turns, commands, a full context.
. "$(dirname "$0")/common.sh"

pipes 0 'My name is Tom.\nWhat is my name?\n/stats\n' chat -t 1 -m "$demo" --temp 0
err_empty
[ "$(wc -l <"$work/out")" -eq 4 ]
report 'two answers and two lines of statistics' $?
sed -n 2p "$work/out" | grep -q Tom
report 'the second turn depends on the first' $?
first=$(sed -n 1p "$work/out")
second=$(sed -n 2p "$work/out")
held=$(sed -n 's/^2 turns, \([0-9]*\) of .*/\1/p' "$work/out")

# the session contains the tokens of the rendered conversation, up to the last end of turn
{
    printf '<|startoftext|><|im_start|>user\nMy name is Tom.<|im_end|>\n'
    printf '<|im_start|>assistant\n%s<|im_end|>\n' "$first"
    printf '<|im_start|>user\nWhat is my name?<|im_end|>\n<|im_start|>assistant\n%s<|im_end|>' \
        "$second"
} >"$work/rendered"
exits 0 tokenize -m "$demo" -f "$work/rendered" --special --no-bos --pieces
[ "$(wc -l <"$work/out")" = "$held" ]
report "the session contains the rendered conversation ($held tokens)" $?

# drafts do not change the answers
turns='My name is Tom.\nWhat is my name?\nMy name is Tom.\nWhat is my name?\n'
pipes 0 "$turns" chat -t 1 -m "$demo" --temp 0.8 --seed 2
cp "$work/out" "$work/plain"
pipes 0 "$turns" chat -t 1 -m "$demo" --temp 0.8 --seed 2 --draft ngram
same 'the answers with drafts' "$work/out" "$work/plain"

# an answer that was stopped is closed before the next turn
pipes 0 'My name is Tom.\nWhat is my name?\n/stats\n' chat -t 1 -m "$demo" --temp 0 -n 1
cut_held=$(sed -n 's/^2 turns, \([0-9]*\) of .*/\1/p' "$work/out")
exits 0 tokenize -m "$demo" -p "$first" --no-bos --pieces
n_first=$(wc -l <"$work/out")
exits 0 tokenize -m "$demo" -p "$second" --no-bos --pieces
n_second=$(wc -l <"$work/out")
[ "$cut_held" -eq $((held - (n_first - 1) - n_second)) ]
report "a stopped answer is closed ($cut_held tokens)" $?

pipes 0 'My name is Tom.\n/reset\n/stats\nWhat is my name?\n' chat -t 1 -m "$demo" --temp 0
out_has '0 turns, 0 of '
tail -n 1 "$work/out" | grep -q Tom
report '/reset discards the conversation' "$(($? == 0))"

pipes 0 'Hello!\n/stats\n/reset\nHello!\n/stats\n' chat -t 1 -m "$demo" --temp 0
[ "$(grep -c . "$work/out")" -eq 6 ] && [ "$(grep '^1 turn,' "$work/out" | uniq | wc -l)" -eq 1 ]
report 'a conversation after /reset is like the first one' $?

pipes 0 '/help\n/nonsense\n/quit\nWhat is 1 plus 1?\n' chat -t 1 -m "$demo"
out_has '/reset'
err_has 'unknown command /nonsense'
out_lacks ' = '
for near in '/resett reset' '/HELPP help' '/sats stats' '/qiut quit' '/exti exit' '/by bye'; do
    pipes 0 "${near% *}\n/stats\n" chat -t 1 -m "$demo"
    err_has "unknown command ${near% *}: did you mean /${near#* }?"
    out_has '0 turns, '
done
pipes 0 '/etc\n/\n/stats\n' chat -t 1 -m "$demo"
err_has 'unknown command /etc: /help lists the commands, //etc sends a message'
err_has 'unknown command /: /help lists the commands'
out_has '0 turns, '
for quit in /quit /exit /bye '/QUIT' '/Bye ' '/exit \t' '/quit\r'; do
    pipes 0 "$quit\n/help\n" chat -t 1 -m "$demo"
    out_empty
    err_empty
done
pipes 0 'Hello!\n/CLEAR \n/Stats\n' chat -t 1 -m "$demo" --temp 0
out_has '0 turns, '
pipes 0 '/?\n' chat -t 1 -m "$demo"
out_has '/reset'

# messages that look like a command
for message in '/etc/passwd what is this' '/etc/passwd' '/home/me/x.c' '/usr is full' '/x.c' \
    '/help me with this' '// a comment' '//stats'; do
    pipes 0 "$message\n/stats\n" chat -t 1 -m "$demo" --temp 0 -n 1
    out_has '1 turn, '
done
held() { # MESSAGE (printf format): counts the tokens in the session after it and a one-token answer
    pipes 0 "$1\n/stats\n" chat -t 1 -m "$demo" --temp 0 -n 1
    held=$(sed -n 's/^1 turn, \([0-9]*\) of .*/\1/p' "$work/out")
}
held '/stats what'
plain=$held
held '//stats'
[ "$plain" -gt "$held" ]
report 'one of two slashes is removed' $?

# a block is one message
held 'a\\\nb c'
joined=$held
for block in '"""a\nb c"""' '"""\na\nb c\n"""' '"""a\r\nb c\r\n""" ' '"""a\nb c' '"""\na\nb c\n'; do
    pipes 0 "$block" chat -t 1 -m "$demo" --temp 0 -n 1 -v
    grep -qF "prompt: $((joined - 1)) tokens" "$work/err"
    report "one message of $((joined - 1)) tokens: $block" $?
done
pipes 0 '"""\n/quit\n"""\n/stats\n' chat -t 1 -m "$demo" --temp 0
out_has '1 turn, '
pipes 0 '"""/quit"""\n/stats\n' chat -t 1 -m "$demo" --temp 0
out_has '1 turn, '
pipes 0 '"""A docstring.""" What is this?\n/stats\n' chat -t 1 -m "$demo" --temp 0
out_has '1 turn, '
pipes 0 '""""""\n"""\n\n"""\n/stats\n' chat -t 1 -m "$demo" --temp 0
out_has '0 turns, '

# any bytes and any length
pipes 0 'a\000b \377\376 c\000\n/stats\n' chat -t 1 -m "$demo" --temp 0
out_has '1 turn, '
head -c 1000000 /dev/zero | tr '\0' x >"$work/long"
printf '\n/stats\n' >>"$work/long"
"$program" chat -t 1 -m "$demo" <"$work/long" >"$work/out" 2>"$work/err"
verdict 1 $? 'chat with a line of 1 MB'
err_has 'the message needs '
out_has '0 turns, '
pipes 0 '' chat -t 1 -m "$demo"
out_empty
pipes 0 '\n\n' chat -t 1 -m "$demo"
out_empty

# joined lines, two slashes, a last line without a newline
pipes 0 'one \\\\\ntwo\n/stats' chat -t 1 -m "$demo" --temp 0
out_has '1 turn, '
pipes 0 '//stats\n/stats\n' chat -t 1 -m "$demo" --temp 0
out_has '1 turn, '

# a system message
pipes 0 'Hello!\n/stats\n' chat -t 1 -m "$demo" --temp 0 --system 'You are a pirate.' -n 1
out_has '1 turn, '

# a full context: one message for each turn, the conversation continues, the exit code is 1
pipes 1 'What is 21 plus 13?\nWhat is 22 plus 14?\n/stats\n' chat -t 1 -m "$demo" --temp 0 -c 48
err_has ' tokens, the context has space for '
err_has '/reset starts a new conversation'
out_has '1 turn, '
pipes 1 'What is 21 plus 13?\n' chat -t 1 -m "$demo" -c 10
out_empty

# the reason why an answer ended, unless the model ended it
pipes 0 'My name is Tom.\n' chat -t 1 -m "$demo" --temp 0 -n 1
err_has 'lfm2: stopped at the limit of 1 token: -n N sets it'
pipes 0 'My name is Tom.\n' chat -t 1 -m "$demo" --temp 20 --min-p 0 --seed 1 -c 64
err_has 'lfm2: stopped: the context of 64 tokens is full: -c N sets its size; /reset starts'
[ "$(wc -l <"$work/err")" -eq 1 ]
report 'one message' $?

printf '[' >"$work/tools.json"
pipes 1 'Hello!\n' chat -t 1 -m "$demo" --tools "$work/tools.json"
pipes 1 'Hello!\n' chat -t 1 -m "$work/missing.gguf"
if [ -c /dev/full ]; then
    printf 'Hello!\nHello!\n' | "$program" chat -t 1 -m "$demo" >/dev/full 2>"$work/err"
    report 'a full disk is an error' "$((${PIPESTATUS[1]} != 1))"
    err_has 'standard output: No space left on device (cli.output)'
fi
yes 'My name is Tom.' | head -n 100 | "$program" chat -t 1 -m "$demo" 2>"$work/err" | head -n 1 >"$work/out"
[ "${PIPESTATUS[2]}" -eq 1 ]
report 'a closed pipe ends the conversation with exit code 1' $?
err_empty

# without a terminal, Ctrl-C ends the program
mkfifo "$work/pipe"
mkfifo "$work/messages"
exec 4<>"$work/messages" # also a writer, so that the program does not read the end of input
printf 'Hello!\nHello!\n' >&4
# With the scalar kernels, the answer takes half a minute.
"$program" chat -t 1 -m "$demo" --temp 20 --min-p 0 --seed 1 --cpu-disable all >"$work/pipe" \
    2>"$work/err" <&4 &
pid=$!
exec 3<"$work/pipe"
IFS= read -r -n 1 -u 3 _
kill -INT "$pid"
cat <&3 >/dev/null
exec 3<&-
wait "$pid"
verdict 1 $? 'chat after Ctrl-C'
err_has 'lfm2: stopped: interrupted'
finish
