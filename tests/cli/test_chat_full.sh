# SPDX-License-Identifier: Apache-2.0
# chat --on-full drop: which turns are dropped, what is computed again.
. "$(dirname "$0")/common.sh"
greedy=(-t 1 -m "$demo" --temp 0)
drop=("${greedy[@]}" --on-full drop)

# ---- The oldest turns are dropped ------------------------------------------------------------------

turns='My name is Tom.\nWhat is 21 plus 13?\nWhat is 2 plus 3?\nWhat is my name?\n'
pipes 0 "$turns/save $work/a.json\n/stats\n" chat "${drop[@]}" -c 100 --system 'You help.'
err_has 'lfm2: the context is full: dropped the 2 oldest turns and computed '
out_has '2 turns, '
# the model sees the system message and the last turns: its answer is that to those alone
pipes 0 'What is 2 plus 3?\nWhat is my name?\n/stats\n' chat "${greedy[@]}" -c 100 --system 'You help.'
cp "$work/out" "$work/expected"
pipes 0 "$turns/stats\n" chat "${drop[@]}" -c 100 --system 'You help.'
for line in 2 3; do
    sed -n "${line}p" "$work/expected" | sed 's/, seed.*//' >"$work/second"
    sed -n "$((line + 2))p" "$work/out" | sed 's/, seed.*//' >"$work/first"
    same "as a conversation without the dropped turns: line $line" "$work/first" "$work/second"
done
# the file has what the model sees
! grep -qE 'Tom|21 plus' "$work/a.json" && grep -qF '"You help."' "$work/a.json" && grep -qF '2 plus 3' "$work/a.json"
report 'a saved conversation does not have the dropped turns' $?

# without a system message
pipes 0 "$turns/stats\n" chat "${drop[@]}" -c 80
out_has '2 turns, '
# the default does not drop
pipes 1 "$turns/stats\n" chat "${greedy[@]}" -c 80
err_has 'the message needs '
err_has '--on-full drop drops the oldest turns'
! grep -q dropped "$work/err"
report 'nothing is dropped' $?

# the space for the answer is that of -n, at most a sixteenth of the context
pipes 0 "$turns/stats\n" chat "${drop[@]}" -c 100 --system 'You help.' -n 1
out_has '4 turns, '
! grep -q dropped "$work/err"
report 'nothing is dropped before the context is full' $?

# after a drop the next turns have space
for i in $(seq 20); do
    printf 'What is %d plus 3?\n' "$i"
done >"$work/in"
"$program" chat "${drop[@]}" -c 200 <"$work/in" >"$work/out" 2>"$work/err"
verdict 0 $? '20 turns in a short context'
drops=$(grep -c dropped "$work/err")
[ "$drops" -ge 2 ] && [ "$drops" -le 7 ]
report "few turns drop others ($drops of 20)" $?

# many turns at once: a long message
long=$(printf 'x%.0s ' $(seq 40))
pipes 0 "Hello!\nMy name is Tom.\nHello!\nWhat is 2 plus 3?\n$long\n/stats\n" chat "${drop[@]}" -c 110 -n 8
grep -qE 'dropped the [2-4] oldest turns' "$work/err"
report 'a long message drops several turns' $?

# ---- Tokens that the model chose stay ---------------------------------------------------------------

# count TEXT: the number of tokens of a text with control tokens
count() {
    "$program" tokenize -m "$demo" --special --no-bos --pieces -p "$1" | wc -l
}
# The turn after the drop has the random tokens of the answers, not those to which the tokenizer would divide
# their text.
first=$(($(count $'<|im_start|>user\nMy name is Tom.<|im_end|>\n<|im_start|>assistant\n') + 1))
second=$(count $'<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n')
shared=$(($(count $'<|im_start|>user\n') + 1)) # with the BOS: the start of both prompts
for seed in 1 2 3 4; do
    pipes 0 'Hello!\nMy name is Tom.\nHi\n/stats\n' chat -t 1 -m "$demo" --temp 20 --min-p 0 --seed "$seed" \
        --kernels own -n 20 -c 80 --on-full drop
    err_has "dropped the oldest turn and computed $((first + 20 - shared)) tokens again"
    out_has "2 turns, $((first + 20 + second + 20)) of 80 tokens"
    out_has "last turn: reused $shared tokens, prompt $((first + 20 + second - shared)) tokens in "
done

# ---- What does not fit -----------------------------------------------------------------------------

long=$(head -c 300 /dev/zero | tr '\0' x)
pipes 1 "$long\n/stats\nHello!\n/stats\n" chat "${drop[@]}" -c 100
err_has ', the context has space for 100: -c N sets its size'
out_has '0 turns, '
out_has '1 turn, '
pipes 1 "My name is Tom.\n$long\n/edit $long\nWhat is my name?\n/stats\n" chat "${drop[@]}" -c 100
err_has 'and without the 1 turn before it the context has space for '
! grep -q dropped "$work/err"
report 'nothing is dropped if that does not help' $?
tail -n 3 "$work/out" | head -n 1 | grep -q Tom
report 'the conversation is unchanged' $?

# ---- A full context during an answer -----------------------------------------------------------------

pipes 0 'My name is Tom.\nHello!\n/stats\n' chat -t 1 -m "$demo" --temp 20 --min-p 0 --seed 1 -c 64 --on-full drop
err_has 'stopped: the context of 64 tokens is full: -c N sets its size; the next turn drops the oldest ones'
err_has 'dropped the oldest turn'
out_has '1 turn, '

# ---- Other commands after a drop ---------------------------------------------------------------------

full="$turns"
pipes 1 "$full/undo\n/undo\n/undo\n/stats\n" chat "${drop[@]}" -c 100 --system 'You help.'
err_has '/undo: there is no message yet'
[ "$(grep -c 'removed the last message' "$work/err")" -eq 2 ]
report 'dropped turns cannot be undone' $?
out_has '0 turns, '
pipes 0 "$full/retry\n/stats\n" chat "${drop[@]}" -c 100 --system 'You help.'
[ "$(sed -n 4p "$work/out")" = "$(sed -n 5p "$work/out")" ]
report '/retry after a drop' $?
out_has '2 turns, '
pipes 0 "My name is Tom.\nWhat is 21 plus 13?\n/edit $(printf 'x%.0s ' $(seq 45))\n/stats\n" chat "${drop[@]}" -c 80 -n 8
out_has '1 turn, '
err_has 'dropped the oldest turn'
# a conversation that is too long for the context
printf '%s' '[{"role": "system", "content": "You help."}' >"$work/long.json"
for i in $(seq 200); do
    printf ',{"role": "user", "content": "What is %d plus 3?"},{"role": "assistant", "content": "%d"}' "$i" $((i + 3))
done >>"$work/long.json"
printf ']' >>"$work/long.json"
pipes 0 "/load $work/long.json\nWhat is 2 plus 3?\n/stats\n" chat "${drop[@]}" -c 200
err_has 'loaded 401 messages with '
grep -qE 'dropped the 19[0-9] oldest turns' "$work/err"
report 'most turns of a long conversation are dropped' $?
pipes 1 "/load $work/long.json\nWhat is 2 plus 3?\n/stats\n" chat "${greedy[@]}" -c 200
err_has 'the message needs '
pipes 2 '' chat "${greedy[@]}" --on-full forget
err_has "stop, drop"
finish
