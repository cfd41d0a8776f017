# SPDX-License-Identifier: Apache-2.0
# synth, inspect and quantize: a synthetic model is inspected, quantized and run.
. "$(dirname "$0")/common.sh"

exits 0 synth "$work/tiny.gguf" --type f32 --seed 3
out_has 'tiny.gguf: f32'
exits 0 synth "$work/again.gguf" --shape tiny --type f32 --seed 3 --json
out_is_json
out_has '"type":"f32"'
same 'one seed, one file' "$work/tiny.gguf" "$work/again.gguf"
exits 0 synth "$work/again.gguf" --shape tiny --type f32 --seed 4
! cmp -s "$work/tiny.gguf" "$work/again.gguf"
report 'another seed, another file' $?

exits 0 inspect "$work/tiny.gguf"
out_has 'arch '
out_has 'F32'
out_has 'memory with one session'
exits 0 inspect -m "$work/tiny.gguf" --tensors --meta --json
out_is_json
out_has '"general.architecture"'
out_has '"name":"token_embd.weight"'
exits 0 inspect "$work/tiny.gguf" --tensors --meta
out_has 'token_embd.weight'
out_has 'general.architecture = '
exits 0 inspect "$work/tiny.gguf" -v
err_has 'prefetch: auto'
err_has 'prefetch of f32, f16, bf16 until it is measured: l1-4k (1 and more rows)'
exits 0 inspect "$work/tiny.gguf" -v --prefetch l2-4k
err_has 'prefetch: l2-4k'
# an f32 KV cache has twice the size of an f16 one
exits 0 inspect "$work/tiny.gguf" -c 512 --json
half=$(sed -E 's/.*"kv":([0-9]+).*/\1/' "$work/out")
exits 0 inspect "$work/tiny.gguf" -c 512 --kv f32 --json
whole=$(sed -E 's/.*"kv":([0-9]+).*/\1/' "$work/out")
[ "$half" -gt 0 ] && [ "$whole" -eq $((2 * half)) ]
report "memory of f32 is twice that of f16 ($half, $whole)" $?

for type in q4_0 q8_0 f16 bf16 q4_k_m q5_k_m q6_k iq4_nl iq4_xs q2_k q3_k_s q3_k_m q3_k_l; do
    exits 0 quantize "$work/tiny.gguf" "$work/$type.gguf" --type "$type" --json
    out_is_json
    out_has "\"type\":\"$type\""
    exits 0 run -m "$work/$type.gguf" --raw -p 'Once upon' -n 5 --temp 0 --ignore-eos --json
    out_is_json
    out_has '"n_generated":5'
done
[ "$(wc -c <"$work/q4_0.gguf")" -lt "$(wc -c <"$work/q8_0.gguf")" ]
report 'q4_0 is smaller than q8_0' $?
exits 0 quantize "$work/tiny.gguf" "$work/again.gguf" --type q4_k_m -t 3
same 'threads do not change the bytes' "$work/q4_k_m.gguf" "$work/again.gguf"

for type in q2_k q3_k_s q3_k_m q3_k_l; do
    exits 0 inspect "$work/$type.gguf"
    out_has " x Q3_K"
done
# messages name the file as the user wrote it
exits 1 synth ''
err_has 'the path of the output file is empty'
out_empty
exits 1 synth "$work/no/such/folder.gguf"
err_has "$work/no/such/folder.gguf: cannot be created: No such file or directory"

# a failure leaves no file
exits 1 synth "$work/no.gguf" --shape enormous
err_has enormous

# the type in any case, and after the files as in llama-quantize
exits 0 quantize "$work/tiny.gguf" "$work/again.gguf" --type Q4_K_M
same 'upper case' "$work/q4_k_m.gguf" "$work/again.gguf"
exits 0 quantize "$work/tiny.gguf" "$work/again.gguf" Q8_0
same 'after the files' "$work/q8_0.gguf" "$work/again.gguf"

# quantized weights keep their type or become f32, unless --allow-requantize is given
exits 1 quantize "$work/q4_0.gguf" "$work/no.gguf" --type q8_0
err_has "quantize an F32, F16 or BF16 file, or use --allow-requantize (convert.requantize)"
out_empty
[ ! -e "$work/no.gguf" ]
report 'no file is left' $?
exits 0 quantize "$work/q4_0.gguf" "$work/twice.gguf" --type q8_0 --allow-requantize
exits 0 quantize "$work/q4_0.gguf" "$work/full.gguf" --type f32
exits 0 quantize "$work/full.gguf" "$work/again.gguf" --type q8_0
same 'the same as in two steps, through f32' "$work/twice.gguf" "$work/again.gguf"
exits 0 quantize "$work/f16.gguf" "$work/again.gguf" --type bf16

# Ctrl-C: a message, and no incomplete file
"$program" synth "$work/no-large.gguf" --shape lfm2-8b-a1b -t 1 >"$work/out" 2>"$work/err" </dev/null &
pid=$!
for _ in $(seq 600); do
    [ -z "$(find "$work" -name 'no-large*')" ] || break
    sleep 0.05
done
kill -INT "$pid"
wait "$pid"
verdict 1 $? 'synth, interrupted,'
err_has 'lfm2: interrupted (cli.interrupted)'
out_empty
[ -z "$(find "$work" -name 'no-large*')" ]
report 'no incomplete file is left' $?

exits 1 quantize "$work/missing.gguf" "$work/no.gguf"
exits 1 quantize "$work/tiny.gguf" "$work/no/such/folder.gguf"
mkfifo "$work/fifo" # instead of a device: no test may write to a real one
exits 1 quantize "$work/tiny.gguf" "$work/fifo"
err_has 'is not a regular file'
exits 1 synth "$work/fifo"
err_has 'is not a regular file'
[ -p "$work/fifo" ]
report 'a pipe is still a pipe' $?
(
    ulimit -f 64
    "$program" synth "$work/no.gguf" --type f32 2>"$work/err"
)
report 'a file that cannot grow is an error' "$(($? != 1))"
[ -z "$(find "$work" -name 'no*')" ]
report 'no incomplete file is left' $?

# broken files: an error, never a crash
size=$(wc -c <"$demo")
for at in 0 4 8 16 24 1000 20000 60000 $((size - 1)); do
    head -c "$at" "$demo" >"$work/broken.gguf"
    exits 1 inspect "$work/broken.gguf"
    out_empty
done
cp "$demo" "$work/broken.gguf"
printf '\377\377\377\377\377\377\377\377' |
    dd of="$work/broken.gguf" bs=1 seek=8 conv=notrunc 2>/dev/null
exits 1 inspect "$work/broken.gguf"
finish
