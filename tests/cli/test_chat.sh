# SPDX-License-Identifier: Apache-2.0
# chat through a pipe: turns, commands, a full context.
. "$(dirname "$0")/common.sh"

pipes 0 'My name is Tom.\nWhat is my name?\n/stats\n' chat -t 1 -m "$demo" --temp 0
err_empty
[ "$(wc -l <"$work/out")" -eq 4 ]
report 'two answers and two lines of statistics' $?
sed -n 2p "$work/out" | grep -q Tom
report 'the second turn knows the first' $?
first=$(sed -n 1p "$work/out")
second=$(sed -n 2p "$work/out")
held=$(sed -n 's/^2 turns, \([0-9]*\) of .*/\1/p' "$work/out")

# the session holds the tokens of the rendered conversation, up to the last end of turn
{
    printf '<|startoftext|><|im_start|>user\nMy name is Tom.<|im_end|>\n'
    printf '<|im_start|>assistant\n%s<|im_end|>\n' "$first"
    printf '<|im_start|>user\nWhat is my name?<|im_end|>\n<|im_start|>assistant\n%s<|im_end|>' \
        "$second"
} >"$work/rendered"
exits 0 tokenize -m "$demo" -f "$work/rendered" --special --no-bos --pieces
[ "$(wc -l <"$work/out")" = "$held" ]
report "the session holds the rendered conversation ($held tokens)" $?

# a cut answer is closed before the next turn
pipes 0 'My name is Tom.\nWhat is my name?\n/stats\n' chat -t 1 -m "$demo" --temp 0 -n 1
cut_held=$(sed -n 's/^2 turns, \([0-9]*\) of .*/\1/p' "$work/out")
exits 0 tokenize -m "$demo" -p "$first" --no-bos --pieces
n_first=$(wc -l <"$work/out")
exits 0 tokenize -m "$demo" -p "$second" --no-bos --pieces
n_second=$(wc -l <"$work/out")
[ "$cut_held" -eq $((held - (n_first - 1) - n_second)) ]
report "a cut answer is closed ($cut_held tokens)" $?

pipes 0 'My name is Tom.\n/reset\n/stats\nWhat is my name?\n' chat -t 1 -m "$demo" --temp 0
out_has '0 turns, 0 of '
tail -n 1 "$work/out" | grep -q Tom
report '/reset forgets' "$(($? == 0))"

pipes 0 'Hello!\n/stats\n/reset\nHello!\n/stats\n' chat -t 1 -m "$demo" --temp 0
[ "$(grep -c . "$work/out")" -eq 6 ] && [ "$(grep '^1 turns' "$work/out" | uniq | wc -l)" -eq 1 ]
report 'after /reset nothing of the old conversation is left' $?

pipes 0 '/help\n/nonsense\n/quit\nWhat is 1 plus 1?\n' chat -t 1 -m "$demo"
out_has '/reset'
err_has 'unknown command /nonsense'
out_lacks ' = '
pipes 0 '' chat -t 1 -m "$demo"
out_empty
pipes 0 '\n\n' chat -t 1 -m "$demo"
out_empty

# lines that are joined, a slash that is meant, a last line without a newline
pipes 0 'one \\\\\ntwo\n/stats' chat -t 1 -m "$demo" --temp 0
out_has '1 turns, '
pipes 0 '//stats\n/stats\n' chat -t 1 -m "$demo" --temp 0
out_has '1 turns, '

# a system message costs tokens of the first turn only
pipes 0 'Hello!\n/stats\n' chat -t 1 -m "$demo" --temp 0 --system 'You are a pirate.' -n 1
out_has '1 turns, '

# no room: said once per message, the conversation goes on, the exit code is 1
pipes 1 'What is 21 plus 13?\nWhat is 22 plus 14?\n/stats\n' chat -t 1 -m "$demo" --temp 0 -c 48
err_has 'the context has room for'
err_has '/reset starts anew'
out_has '1 turns, '
pipes 1 'What is 21 plus 13?\n' chat -t 1 -m "$demo" -c 10
out_empty

printf '[' >"$work/tools.json"
pipes 1 'Hello!\n' chat -t 1 -m "$demo" --tools "$work/tools.json"
pipes 1 'Hello!\n' chat -t 1 -m "$work/missing.gguf"
if [ -c /dev/full ]; then
    printf 'Hello!\nHello!\n' | "$program" chat -t 1 -m "$demo" >/dev/full 2>"$work/err"
    report 'a full disk is noticed' "$((${PIPESTATUS[1]} != 1))"
fi
finish
