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
