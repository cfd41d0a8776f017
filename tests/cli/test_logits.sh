# SPDX-License-Identifier: Apache-2.0
# logits: size, independence of chunks and threads, and output files.
. "$(dirname "$0")/common.sh"

ids=1,6,423,31,9,540,77,1033,250,7,8,9,10
exits 0 logits -t 1 -m "$demo" --ids "$ids" -o "$work/all.f32" --json
out_is_json
out_has '"n_tokens":13,"n_vocab":2048'
[ "$(wc -c <"$work/all.f32")" -eq $((13 * 2048 * 4)) ]
report 'a row of floats for each token' $?

for options in '--step 1' '--step 5 --chunk 2' '--chunk 1' '-t 2 --step 3' '-c 100'; do
    # shellcheck disable=SC2086
    exits 0 logits -t 1 -m "$demo" --ids "$ids" -o "$work/some.f32" $options
    out_empty
    same "the same logits with $options" "$work/all.f32" "$work/some.f32"
done
printf '%s\n' "$ids" | tr , '\n' >"$work/ids.txt"
exits 0 logits -t 1 -m "$demo" --ids-file "$work/ids.txt" -o "$work/some.f32"
same 'the same logits from a file of ids' "$work/all.f32" "$work/some.f32"
exits 0 logits -t 1 -m "$demo" --ids "$ids" -o "$work/some.f32" --kv f16
! cmp -s "$work/all.f32" "$work/some.f32"
report 'the logits with an f16 KV cache differ' $?

exits 0 logits "$demo" -t 1 --ids "$ids" -o "$work/some.f32"
same 'the model as an argument' "$work/all.f32" "$work/some.f32"

# after a failure the old file is unchanged, and the folder has no other file
rm -f "$work"/*
printf old >"$work/file"
for bad in 1,2048 1,999999; do
    exits 1 logits -t 1 -m "$demo" --ids "$bad" -o "$work/file"
done
exits 1 logits -t 1 -m "$demo" --ids 1,2,3,4 -o "$work/file" -c 2
exits 1 logits -t 1 -m "$demo" --ids '' -o "$work/file"
err_has 'the list of token ids is empty'
exits 1 logits -t 1 -m "$demo" --ids 1,b -o "$work/file"
rm "$work/out" "$work/err"
[ "$(ls "$work")" = file ] && [ "$(cat "$work/file")" = old ]
report 'the old file is unchanged and there is no other' $?
exits 1 logits -t 1 -m "$demo" --ids 1 -o "$work/no/such/folder"
exits 1 logits -t 1 -m "$demo" --ids 1 -o "$work"

# a file size limit has the effect of a full disk
(
    ulimit -f 4
    "$program" logits -t 1 -m "$demo" --ids "$ids" -o "$work/limited" 2>"$work/err"
)
report 'a file that cannot grow is an error' "$(($? != 1))"
err_has 'limited'
[ -z "$(find "$work" -name 'limited*')" ]
report 'no incomplete file is left' $?

# Files that are not regular are written, not replaced. All are in the folder of the test: a failure must
# not replace a device of the machine.
mkfifo "$work/fifo"
timeout 60 cat "$work/fifo" >"$work/through" &
exits 0 logits -t 1 -m "$demo" --ids 1 -o "$work/fifo"
wait
[ -p "$work/fifo" ] && [ "$(wc -c <"$work/through")" -eq $((2048 * 4)) ]
report 'a pipe is written and still a pipe' $?
: >"$work/target"
ln -s target "$work/link"
exits 0 logits -t 1 -m "$demo" --ids 1 -o "$work/link"
[ -L "$work/link" ]
report 'a link is still a link' $?
same 'the target of the link is written' "$work/through" "$work/target"
if [ -c /dev/full ]; then
    ln -s /dev/full "$work/full"
    exits 1 logits -t 1 -m "$demo" --ids 1 -o "$work/full"
    err_has 'full: No space left on device'
    [ -L "$work/full" ]
    report 'the link to a full device is still a link' $?
fi
finish
