# SPDX-License-Identifier: Apache-2.0
# imatrix, and the options of quantize that use it or name types of tensors.
. "$(dirname "$0")/common.sh"

for word in one two three four five six seven eight nine ten; do
    for end in ing ed er est ly ness ment able less ful; do
        printf '%s%s ' "$word" "$end"
    done
done >"$work/text"
exits 0 synth "$work/tiny.gguf" --shape tiny --type f32
exits 0 imatrix "$work/tiny.gguf" -f "$work/text" -o "$work/imatrix.gguf" -c 32 --chunks 2 --json
out_is_json
out_has '"chunks":2,"n_ctx":32'
pipes 0 "$(cat "$work/text")" imatrix "$work/tiny.gguf" -o "$work/piped.gguf" -c 32 --chunks 2 -t 3
out_has '2 chunks of 32 tokens'

# the matrix changes the weights, and its keys are there only if it was used
exits 0 quantize "$work/tiny.gguf" "$work/with.gguf" q4_0 --imatrix "$work/imatrix.gguf"
exits 0 quantize "$work/tiny.gguf" "$work/without.gguf" q4_0
! cmp -s "$work/with.gguf" "$work/without.gguf"
report 'an importance matrix changes the file' $?
exits 0 inspect "$work/with.gguf" --meta
out_has 'quantize.imatrix.chunks_count = 2'
out_has "quantize.imatrix.dataset = $work/text"
exits 0 quantize "$work/with.gguf" "$work/again.gguf" f32
exits 0 inspect "$work/again.gguf" --meta
out_lacks 'quantize.imatrix'

# types of tensors: the first match counts
exits 0 quantize "$work/tiny.gguf" "$work/mixed.gguf" q4_0 --tensor-type 'blk\.2\.ATTN_V=Q6_K' \
    --tensor-type 'attn_[qv]\.=q5_1' --tensor-type 'attn_x=f16'
err_has "tensor type 'attn_x=f16' changes no tensor"
exits 0 inspect "$work/mixed.gguf" --tensors
grep -q 'Q6_K .* blk.2.attn_v.weight' "$work/out" && grep -q 'Q5_1 .* blk.5.attn_v.weight' "$work/out" &&
    grep -q 'Q4_0 .* blk.2.attn_k.weight' "$work/out"
report 'the tensors have these types' $?

# refused, and no file is left
# refused MESSAGE OPTION...
refused() {
    local message=$1
    shift
    exits 1 quantize "$work/tiny.gguf" "$work/no.gguf" q4_0 "$@"
    err_has "$message"
    [ ! -e "$work/no.gguf" ]
    report 'no file is left' $?
}
refused 'this GGUF file is not an importance matrix' --imatrix "$work/tiny.gguf"
refused 'not a GGUF file' --imatrix "$work/text"
refused 'cannot be opened' --imatrix "$work/missing.gguf"
head -c 20000 "$work/imatrix.gguf" >"$work/short.gguf"
refused "$work/short.gguf: " --imatrix "$work/short.gguf"
printf '\1\0\0\0\x12\0\0\0blk.0.attn_k.weight' >"$work/old.dat"
refused 'llama-imatrix -m MODEL --in-file OLD -o NEW.gguf' --imatrix "$work/old.dat"
refused 'it must have the form REGEX=TYPE' --tensor-type attn_v
refused 'this type cannot be written' --tensor-type attn_v=iq2_xs
refused "byte 8: a ')' is missing" --tensor-type '(attn_v=q8_0'
exits 1 imatrix "$work/tiny.gguf" -f "$work/text" -o "$work/no.gguf" -c 4096
err_has 'but a chunk needs 4096'
exits 1 imatrix "$work/tiny.gguf" -f "$work/text" -o "$work/no/such/folder.gguf"
exits 1 imatrix "$work/tiny.gguf" -f "$work/text" -o "$work/tiny.gguf" -c 32
err_has 'would overwrite'

finish
