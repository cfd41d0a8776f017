# SPDX-License-Identifier: Apache-2.0
# The commands of chat that change the conversation, through a pipe.
. "$(dirname "$0")/common.sh"
greedy=(-t 1 -m "$demo" --temp 0)
random=(-t 1 -m "$demo" --temp 20 --min-p 0 --kernels own -n 12 --seed 7)

# like PRINTF PRINTF DESCRIPTION [OPTION...]: the last answer of both conversations is the same, and so are
# the numbers of turns and tokens.
like() {
    local first=$1 second=$2 what=$3 file
    shift 3
    for file in first second; do
        pipes 0 "${!file}/stats\n" chat "${greedy[@]}" "$@"
        tail -n 3 "$work/out" | sed -nE '1p; s/^([0-9]+ turns?, [0-9]+) of .*/\1/p' >"$work/$file"
    done
    grep -qE '^[0-9]+ turns?, [1-9]' "$work/second" && cmp -s "$work/first" "$work/second" ||
        { cat "$work/first" "$work/second"; false; }
    report "$what" $?
}
# one_message: there is one line on standard error
one_message() {
    [ "$(wc -l <"$work/err")" -eq 1 ]
    report 'one message' $?
}

# ---- Before any message ----------------------------------------------------------------------------

for command in undo retry regenerate 'edit Hello!' edit fork "save $work/none"; do
    pipes 1 "/$command\n/stats\n" chat "${greedy[@]}" --system 'You help.'
    err_has "lfm2: /${command%% *}: there is no message yet"
    one_message
    out_has '0 turns, 0 of '
done
[ ! -e "$work/none" ]
report 'nothing was saved' $?
pipes 0 '/switch\n' chat "${greedy[@]}"
out_is '* 1, 0 turns, 0 tokens\n'

# ---- /undo, /retry, /edit --------------------------------------------------------------------------

like 'My name is Tom.\nHello!\n/undo\nWhat is my name?\n' 'My name is Tom.\nWhat is my name?\n' '/undo'
like 'My name is Tom.\nHello!\nI am 7.\n/UNDO\n/undo \nWhat is my name?\n' \
    'My name is Tom.\nWhat is my name?\n' '/undo twice'
like 'Hello!\n/undo\nMy name is Tom.\n' 'My name is Tom.\n' '/undo of all messages' --system 'You help.'
pipes 1 'Hello!\n/undo\n/undo\n' chat "${greedy[@]}"
err_has 'removed the last message and its answer: 0 turns are left'
err_has '/undo: there is no message yet'

like 'My name is Tom.\nWhat is my name?\n/retry\n' 'My name is Tom.\nWhat is my name?\n' '/retry'
pipes 0 'My name is Tom.\nWhat is my name?\n/regenerate\n' chat "${greedy[@]}"
[ "$(sed -n 2p "$work/out")" = "$(sed -n 3p "$work/out")" ] && [ "$(wc -l <"$work/out")" -eq 3 ]
report 'without random choices the answer is the same' $?
pipes 0 'My name is Tom.\n/retry\n/retry\n' chat "${greedy[@]}" -v
[ "$(grep -oE 'prompt: [0-9]+ tokens? ' "$work/err" | tail -n 2 | sort -u)" = 'prompt: 1 token ' ]
report '/retry computes one token before the answer' $?
retries='Hello!\n/retry\n/retry\n'
pipes 0 "$retries" chat "${random[@]}"
cp "$work/out" "$work/first"
pipes 0 'Hello!\n' chat "${random[@]}"
! cmp -s "$work/out" "$work/first" && cmp -s "$work/out" <(head -c "$(wc -c <"$work/out")" "$work/first")
report 'the first answer does not depend on what follows' $?
pipes 0 "$retries" chat "${random[@]}"
same 'the same seed gives the same answers' "$work/first" "$work/out"
answers() { # MESSAGE COMMAND: the number of different answers of the saved conversations
    pipes 0 "Hello!\n/save $work/1.json\n/retry\n/save $work/2.json\n/retry\n/save $work/3.json\n" chat \
        "${random[@]}"
    different=$(cat "$work"/[123].json | sed 's/,"lfm2":.*//' | sort -u | wc -l)
}
answers
[ "$different" -eq 3 ]
report "each /retry makes other random choices ($different answers)" $?

# With drafts, the answer that is replaced is what the new one is expected to be. The first answer gives no
# guesses; the two single steps of the second one are followed by a pass that has some.
# replaced DESCRIPTION PRINTF [OPTION...]: the last answer has guesses, all of them right, the others none
replaced() {
    local what=$1 input=$2
    shift 2
    pipes 0 "$input" chat "${greedy[@]}" "$@"
    cp "$work/out" "$work/plain"
    pipes 0 "$input" chat "${greedy[@]}" "$@" --draft ngram -v
    same "$what gives the same answers with drafts" "$work/out" "$work/plain"
    grep -E 'answer: |drafts: ' "$work/err" | tail -n 1 |
        grep -qE 'drafts: ([0-9]+) tokens computed, \1 of them' &&
        [ "$(grep -c 'drafts: ' "$work/err")" -eq 1 ]
    report "$what guesses from the answer before" $?
}
replaced '/retry' 'Tell me a story.\n/retry\n'
replaced '/edit' 'Tell me a story.\n/edit Tell me a tale.\n'
replaced '/retry after /undo' 'Hello!\nTell me a story.\n/undo\n/retry\n'
replaced '/retry after /load' \
    "Tell me a story.\n/save $work/told.json\n/reset\n/load $work/told.json\n/retry\n"
pipes 0 'Tell me a story.\n/undo\nTell me a story.\n' chat "${greedy[@]}" --draft ngram -v
! grep -q 'drafts: ' "$work/err"
report 'a message that is not a command is not expected to have the same answer' $?
for input in "$retries" 'My name is Tom.\n/edit My name is Ann.\n/edit Tell me a story.\n/retry\n'; do
    pipes 0 "$input" chat "${random[@]}"
    cp "$work/out" "$work/plain"
    pipes 0 "$input" chat "${random[@]}" --draft ngram
    same 'other answers are the same with drafts' "$work/out" "$work/plain"
done

like 'My name is Ann.\n/edit My name is Tom.\nWhat is my name?\n' 'My name is Tom.\nWhat is my name?\n' '/edit'
like '"""a\nb"""\n/edit one\\\ntwo\n' '"""one\ntwo"""\n' '/edit with two lines'
for text in '' ' ' '\t '; do
    pipes 1 "Hello!\n/edit$text\n/stats\n" chat "${greedy[@]}"
    err_has 'lfm2: /edit needs the new text of the message: /edit TEXT'
    one_message
    out_has '1 turn, '
done
# one that does not fit changes nothing
printf 'My name is Tom.\n/edit %s\nWhat is my name?\n/stats\n' "$(head -c 300 /dev/zero | tr '\0' x)" >"$work/in"
"$program" chat "${greedy[@]}" -c 100 <"$work/in" >"$work/out" 2>"$work/err"
verdict 1 $? '/edit with a text that does not fit'
err_has 'the message needs '
out_has 'Tom.'
out_has '2 turns, '
[ "$(sed -n 2p "$work/out" | grep -c Tom)" -eq 1 ]
report 'the message is still there' $?

# ---- /system ---------------------------------------------------------------------------------------

pipes 0 '/system\n/system You are \303\244 poet.\n/system\n/reset\n/system\n' chat "${greedy[@]}"
err_has 'there is no system message: /system TEXT sets it'
out_is 'You are \303\244 poet.\nYou are \303\244 poet.\n'
like 'My name is Tom.\n/system You help.\nWhat is my name?\n' 'My name is Tom.\nWhat is my name?\n' \
    '/system before the second turn' --system 'You help.'
like '/system You help.\nMy name is Tom.\nWhat is my name?\n' \
    'My name is Tom.\n/system You help.\nWhat is my name?\n' '/system at the start'
printf '%s\n' '{% for m in messages %}{% if m.content == "bad" %}{{ raise_exception("no") }}{% endif %}
{{ m.role }}: {{ m.content }}{% endfor %}' >"$work/refuses.jinja"
pipes 1 'Hello!\n/system bad\n/system\n/edit bad\n/stats\n' chat "${greedy[@]}" --system 'You help.' \
    --chat-template "$work/refuses.jinja" -n 1
grep -qx 'You help.' "$work/out"
report 'a system message that the template refuses changes nothing' $?
out_has '1 turn, '

# ---- /fork, /switch --------------------------------------------------------------------------------

pipes 0 "My name is Tom.\n/fork\nMy name is Ann.\n/switch 1\nHello!\n/save $work/1.json\n/switch 2\nWhat is my name?\n/save $work/2.json\n/switch\n/stats\n" \
    chat "${greedy[@]}"
! grep -q Ann "$work/1.json" && grep -q 'Hello!' "$work/1.json" && grep -q 'Ann.*What is' "$work/2.json" &&
    ! grep -q 'Hello!' "$work/2.json" && [ "$(grep -c Tom "$work/1.json")$(grep -c Tom "$work/2.json")" = 11 ]
report 'the copy and the original differ' $?
grep -qE '^  1, 2 turns, [0-9]+ tokens: Hello!$' "$work/out" &&
    grep -qE '^\* 2, 3 turns, [0-9]+ tokens: What is my name\?$' "$work/out"
report '/switch lists both' $?
out_has ', conversation 2 of 2'
err_has 'conversation 2, a copy of 1: /switch 1 goes back'
# a copy continues as the original would, with the same random choices
pipes 0 "Hello!\n/fork\nHello!\n/save $work/1.json\n/switch 1\nHello!\n/save $work/2.json\n" chat "${random[@]}"
same 'a copy makes the same random choices' "$work/1.json" "$work/2.json"
for number in 99 0 -1 x '1 2' 18446744073709551617 99999999999999999999999999999999; do
    pipes 1 "Hello!\n/switch $number\n/stats\n" chat "${greedy[@]}"
    err_has '/switch lists them'
    one_message
    out_has ', conversation 1 of 1'
done
{ echo 'My name is Tom.'; yes /fork | head -n 100; printf '/stats\nWhat is my name?\n/switch 50\n/stats\n'; } >"$work/in"
"$program" chat "${greedy[@]}" <"$work/in" >"$work/out" 2>"$work/err"
verdict 0 $? '100 forks'
out_has ', conversation 101 of 101'
out_has ', conversation 50 of 101'
[ "$(grep -c Tom "$work/out")" -eq 2 ]
report 'the last copy knows the messages' $?

# ---- Which lines are commands ----------------------------------------------------------------------

for message in '//edit this' '//undo' '/undo this' '/editor x' '/edit.txt x' '/fork it' '//system You' \
    '/retry/x' '/ edit'; do
    pipes 0 "$message\n/stats\n" chat "${greedy[@]}" -n 1
    out_has '1 turn, '
done
for near in '/unod undo' '/retyr retry' '/sytem system' '/swich switch' '/laod load' '/frok fork'; do
    pipes 0 "${near% *}\n/stats\n" chat "${greedy[@]}"
    err_has "unknown command ${near% *}: did you mean /${near#* }?"
done
pipes 0 '/help\n' chat "${greedy[@]}"
for command in undo retry edit system fork switch save load; do
    out_has "/$command"
done

# ---- /stats ----------------------------------------------------------------------------------------

pipes 0 'My name is Tom.\n/stats\nWhat is my name?\n/stats\n' chat "${greedy[@]}"
first=$(sed -nE 's/^1 turn, ([0-9]+) of .*/\1/p' "$work/out")
grep -q '^last turn: reused 0 tokens, ' "$work/out" && grep -q "^last turn: reused $first tokens, " "$work/out"
report "/stats counts the tokens that were reused ($first)" $?
finish
