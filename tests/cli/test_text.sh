# SPDX-License-Identifier: Apache-2.0
# tokenize and detokenize.
. "$(dirname "$0")/common.sh"

# round trips, byte for byte
round_trip() { # FILE
    "$program" tokenize -m "$demo" --ids -f "$1" >"$work/ids" 2>"$work/err"
    report "tokenize $1" $?
    "$program" detokenize -m "$demo" <"$work/ids" >"$work/back" 2>>"$work/err"
    report "detokenize $1" $?
    same "round trip of $1" "$1" "$work/back"
}
printf '' >"$work/empty"
printf 'Hello, world!\n' >"$work/plain"
printf 'na\303\257ve \346\274\242\345\255\227 \360\237\231\202 ' >"$work/unicode"
printf 'e\314\201\r\n\t  x\n\n\n' >>"$work/unicode"
printf 'a\000b\377\376\200c\300' >"$work/bytes"
printf 'control <|im_end|> text' >"$work/control"
head -c 3000 "$demo" >"$work/binary"
for file in empty plain unicode bytes control binary; do
    round_trip "$work/$file"
done

# all output formats agree
exits 0 tokenize -m "$demo" -p 'Count: 42' --ids
ids=$(cat "$work/out")
case $ids in 1,*) ;; *) false ;; esac
report 'the BOS comes first' $?
exits 0 tokenize -m "$demo" -p 'Count: 42'
[ "$(cut -f 1 "$work/out" | paste -sd , -)" = "$ids" ]
report 'the table has the same ids' $?
cut -f 2 "$work/out" >"$work/strings"
exits 0 tokenize -m "$demo" -p 'Count: 42' --pieces
same '--pieces are the strings of the table' "$work/out" "$work/strings"
exits 0 tokenize -m "$demo" -p 'Count: 42' --json
out_is_json
out_has "\"ids\":[$ids]"
out_has '"text":"<|startoftext|>"'
exits 0 tokenize -m "$demo" -p 'Count: 42' --ids --no-bos
out_is "${ids#1,}\n"
pipes 0 'Count: 42' tokenize -m "$demo" --ids
out_is "$ids\n"
exits 0 tokenize -m "$demo" -f "$work/bytes" --json
out_is_json
out_has '"bytes":[255]'

# control tokens only on request
exits 0 tokenize -m "$demo" -p '<|im_end|>' --ids --no-bos --special
out_is '7\n'
exits 0 tokenize -m "$demo" -p '<|im_end|>' --ids --no-bos
out_lacks 7,
# a BOS in the text is the only one
exits 0 tokenize -m "$demo" -p '<|startoftext|>Count: 42' --ids --special
out_is "$ids\n"
exits 0 tokenize -m "$demo" -p '<|startoftext|>Count: 42' --ids --special --no-bos
out_is "$ids\n"
exits 0 tokenize -m "$demo" -p '<|startoftext|>' --ids --special
out_is '1\n'
exits 0 tokenize -m "$demo" -p '<|startoftext|>Count: 42' --ids
out_lacks "$ids"
exits 0 detokenize -m "$demo" --ids 1,7
out_empty
exits 0 detokenize -m "$demo" --ids ' 1 ,7,' --special
out_is '<|startoftext|><|im_end|>'
exits 0 detokenize -m "$demo" --ids "$ids" --special --json
out_is_json
out_has '"text":"<|startoftext|>Count: 42"'

# invalid ids
for bad in x 1,-2 1.5 99999999999 1,2x 1e3; do
    exits 1 detokenize -m "$demo" --ids "$bad"
    err_has 'is not a token id (cli.ids)'
    out_empty
done
exits 1 detokenize -m "$demo" --ids 2147483647
out_empty
exits 1 tokenize -m "$demo" -f "$work/missing"
err_has 'missing: No such file or directory (cli.input)'
exits 1 tokenize -m "$demo" -f "$work"
exits 1 tokenize -m "$work" -p x
out_empty

# a folder with tokenizer.json alone serves its tokenizer and nothing else
tokenizer_folder "$work/tokenizer"
exits 0 tokenize -m "$work/tokenizer" -p aab --ids --no-bos
out_is '98,257\n'
exits 0 detokenize -m "$work/tokenizer" --ids 98,257
out_is 'aab'
for command in chat inspect bench pack 'run -p x' 'logits --ids 1 -o x'; do
    # shellcheck disable=SC2086
    exits 1 $command -m "$work/tokenizer"
    err_has 'tokenizer: the folder has no config.json; only its tokenizer can be used (hf.weights)'
    out_empty
done
finish
