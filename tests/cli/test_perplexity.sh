# SPDX-License-Identifier: Apache-2.0
# perplexity: texts, saved logits and divergence from them, broken files.
. "$(dirname "$0")/common.sh"

ask() { # TURNS
    for i in $(seq "$1"); do
        printf '<|im_start|>user\nWhat is %d plus 3?<|im_end|>\n' "$i"
        printf '<|im_start|>assistant\n%d + 3 = %d<|im_end|>\n' "$i" $((i + 3))
    done
}
ask 10 >"$work/text"
exits 0 perplexity -t 1 -m "$demo" -f "$work/text" -c 32 --windows 2 --json
out_is_json
out_has '"windows":2,"n_ctx":32,"n_scored":30,'
exits 0 perplexity -t 1 -m "$demo" -f "$work/text" -c 32 --windows 2
out_has '30 tokens scored in 2 windows of 32'
plain=$(sed -nE 's/^perplexity: ([0-9]+).*/\1/p' "$work/out")
exits 0 perplexity -t 1 -m "$demo" -f "$work/text" -c 32 --windows 2 --special
chat=$(sed -nE 's/^perplexity: ([0-9]+).*/\1/p' "$work/out")
[ "$chat" -lt $((plain / 2)) ]
report "the model predicts chats better than other text ($chat, $plain)" $?
cp "$work/out" "$work/without"
{ printf '<|startoftext|>' && cat "$work/text"; } >"$work/with_bos"
exits 0 perplexity -t 1 -m "$demo" -f "$work/with_bos" -c 32 --windows 2 --special
same 'a BOS at the start is not doubled' "$work/without" "$work/out"
for type in f32 f16; do
    exits 0 perplexity -t 1 -m "$demo" -f "$work/text" -c 32 --windows 2 \
        --save-logits "$work/base" --save-type "$type"
    exits 0 perplexity -t 1 -m "$demo" --kl-base "$work/base" --json
    out_is_json
    out_has '"same_top":1}'
done
exits 0 perplexity -t 1 -m "$demo" -f "$work/text" -c 32 --windows 2 --save-logits "$work/base"
[ "$(wc -c <"$work/base")" -eq $((24 + 2 * 32 * 4 + 30 * 2048 * 4)) ]
report 'size of the saved values' $?
exits 0 perplexity -t 1 -m "$demo" --kl-base "$work/base" --json
out_has '"kl_mean":0,'
out_has '"kl_max":0,'
exits 0 perplexity -t 1 -m "$demo" --kl-base "$work/base" --kv f32 --json
out_lacks '"kl_mean":0,'
for bytes in 0 7 20 24 500 100000; do
    head -c "$bytes" "$work/base" >"$work/broken"
    exits 1 perplexity -t 1 -m "$demo" --kl-base "$work/broken"
    err_has '(cli.kl.format)'
done
for field in 8 12 16 20 24; do
    cp "$work/base" "$work/broken"
    printf '\377\377\377\177' | dd of="$work/broken" bs=1 seek="$field" conv=notrunc 2>/dev/null
    exits 1 perplexity -t 1 -m "$demo" --kl-base "$work/broken"
    err_has '(cli.kl.format)'
done
head -c -8192 "$work/base" >"$work/broken" # one row is missing
exits 1 perplexity -t 1 -m "$demo" --kl-base "$work/broken"
err_has 'the size of the file does not match its header'
exits 0 perplexity "$demo" -t 1 -f "$work/text" -c 16 --windows 1
out_has '(7 tokens scored in 1 window of 16)'
exits 1 perplexity -t 1 -m "$demo" -f "$work/text" -c 100000
err_has 'the text has'
exits 2 perplexity -t 1 -m "$demo" -f "$work/text" --kl-base "$work/base"

# ---- Conversations --------------------------------------------------------------------------------

n_scored() { # sets n
    n=$(sed -nE 's/.*"n_scored":([0-9]+),.*/\1/p' "$work/out")
}
count() { # TEXT
    "$program" tokenize -m "$demo" --special --no-bos --pieces -p "$1" | wc -l
}
right='[{"role": "user", "content": "What is 2 plus 3?"}, {"role": "assistant", "content": "2 + 3 = 5"}]'
wrong='[{"role": "user", "content": "What is 2 plus 3?"}, {"role": "assistant", "content": "Zebras fly."}]'
printf '%s\n' "$right" >"$work/right.jsonl"
exits 0 perplexity -t 1 -m "$demo" --messages "$work/right.jsonl" --json
out_is_json
out_has '{"conversations":1,"n_ctx":'
n_scored
[ "$n" = "$(count '2 + 3 = 5<|im_end|>')" ]
report "the answer and its end are scored ($n tokens)" $?
good=$(sed -nE 's/.*"perplexity":([0-9]+).*/\1/p' "$work/out")
printf '%s\n' "$wrong" >"$work/wrong.jsonl"
exits 0 perplexity -t 1 -m "$demo" --messages "$work/wrong.jsonl"
out_has ' tokens scored in 1 conversation)'
bad=$(sed -nE 's/^perplexity: ([0-9]+).*/\1/p' "$work/out")
[ "$good" -lt 2 ] && [ "$bad" -gt 10 ]
report "the model predicts a right answer better than a wrong one ($good, $bad)" $?
# the whole of a multi-turn conversation, in an object with tools; lines without an answer
{
    printf '{"messages": %s, {"role": "user", "content": "Hello!"}, ' "${right%]}"
    printf '{"role": "assistant", "content": "Hi!"}], "tools": [{"type": "function", "function": {"name": "f"}}]}\n\n'
    printf '[{"role": "user", "content": "What is 2 plus 3?"}]\n'
    cat "$work/wrong.jsonl"
} >"$work/several.jsonl"
exits 0 perplexity -t 1 -m "$demo" --messages "$work/several.jsonl" --json
out_has '"conversations":3,'
n_scored
[ "$n" = "$(($(count '2 + 3 = 5<|im_end|>') + $(count 'Hi!<|im_end|>') + $(count 'Zebras fly.<|im_end|>')))" ]
report "all answers are scored ($n tokens)" $?
# the logits of the answer do not depend on what is scored before it: sums of two files
printf '%s\n%s\n' "$right" "$wrong" >"$work/both.jsonl"
"$program" perplexity -t 1 -m "$demo" --messages - --json <"$work/both.jsonl" >"$work/out" 2>"$work/err"
verdict 0 $? 'perplexity --messages -'
both=$(sed -nE 's/.*"perplexity":([0-9.]+),.*/\1/p' "$work/out")
n_scored
n_both=$n
sum=0
for file in right wrong; do
    exits 0 perplexity -t 1 -m "$demo" --messages "$work/$file.jsonl" --json
    sum=$(sed -nE "s/.*\"n_scored\":([0-9]+),\"perplexity\":([0-9.]+),.*/\1 \2 $sum/p" "$work/out" |
        awk '{ printf "%.9f", $1 * log($2) + $3 }')
done
awk -v sum="$sum" -v n="$n_both" -v both="$both" \
    'BEGIN { d = exp(sum / n) / both - 1; exit !(d < 1e-6 && d > -1e-6) }'
report "the perplexity of two conversations is that of all their tokens ($both)" $?
# a template that renders an answer without its reasoning as soon as another message follows
printf '%s\n' "{{ bos_token }}{% for m in messages %}{{ m.content if loop.last else m.content.split('#')[-1] }}<|im_end|>{% endfor %}" \
    >"$work/drops.jinja"
printf '[{"role": "user", "content": "a"}, {"role": "assistant", "content": "why #b"}, {"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]\n' \
    >"$work/drops.jsonl"
exits 0 perplexity -t 1 -m "$demo" --messages "$work/drops.jsonl" --chat-template "$work/drops.jinja" --json
n_scored
[ "$n" = "$(count 'd<|im_end|>')" ]
report "an answer that changes is not scored ($n tokens)" $?

exits 1 perplexity -t 1 -m "$demo" --messages "$work/right.jsonl" -c 10
err_has 'right.jsonl: line 1: the conversation has '
printf '[{"role": "user", "content": "x"}]\n' >"$work/none.jsonl"
exits 1 perplexity -t 1 -m "$demo" --messages "$work/none.jsonl"
err_has 'none.jsonl: the file has no answers to score (cli.messages)'
for bad in '{' '[]' '{}' '[{"role": "user", "content": 1}]'; do
    printf '%s\n%s\n' "$right" "$bad" >"$work/bad.jsonl"
    exits 1 perplexity -t 1 -m "$demo" --messages "$work/bad.jsonl"
    err_has 'bad.jsonl: line 2: offset '
    out_empty
done
for option in '-f x' --special '--windows 1' '--save-logits x' '--kl-base x'; do
    # shellcheck disable=SC2086
    exits 2 perplexity -m "$demo" --messages "$work/right.jsonl" $option
    err_has '--messages cannot be combined with'
done
exits 2 perplexity -m "$demo" -f "$work/text" --date 2024-01-01
err_has 'options of the chat template require --messages'

# Ctrl-C ends the work at any time.
for _ in $(seq 400); do echo 'Seven grey cats sat on the wall and counted the passing clouds.'; done \
    >"$work/long"
for _ in 1 2 3 4 5; do
    cat "$work/long" "$work/long" >"$work/longer" && mv "$work/longer" "$work/long"
done
"$program" perplexity -v -t 1 -m "$demo" -f "$work/long" >"$work/out" 2>"$work/err" </dev/null &
pid=$!
wait_for 'window 1 of' "$work/err"
interrupted perplexity
out_empty
finish
