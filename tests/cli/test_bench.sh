# SPDX-License-Identifier: Apache-2.0
# bench: tests and tables, the limits of the machine, sessions in threads, micro-kernels.
. "$(dirname "$0")/common.sh"

exits 0 bench -m "$demo" -p 4,2 -n 1 -d 0,3 -t 1,2 -r 1 --no-roofline
[ "$(grep -c '^| .* CPU ' "$work/out")" -eq 12 ]
report 'a line for each of 12 tests' $?
out_has 'pp4 @ d3'
out_has 'tg1 |'
out_has '2 threads: loaded in'
out_has '(weights packed), peak resident memory'
out_lacks 'limit'

# the model as an argument; a bench that fails prints no table
exits 0 bench "$demo" -p 2 -n 0 -t 1 -r 1 --no-roofline
out_has ' pp2 |'
exits 2 bench "$demo" -m "$demo"
err_has 'give the model as an argument or with -m, not both'
for format in md json jsonl csv; do
    exits 1 bench "$work/missing.gguf" -o "$format"
    err_has 'missing.gguf: no such model file (cli.model.missing)'
    out_empty
    exits 1 bench "$demo" -t 1 -p 1000000 -r 1 -o "$format"
    out_empty
done
exits 1 bench --micro-kernels --filter nothing -t 1
err_has 'no micro-kernel was measured'
out_empty

# the keys of llama-bench, in its order and with its types, and those of lfm2
llama_keys='build_commit:S build_number:I cpu_info:S gpu_info:S backends:S model_filename:S model_type:S
    model_size:I model_n_params:I n_batch:I n_ubatch:I n_threads:I cpu_mask:S cpu_strict:B poll:I
    type_k:S type_v:S n_gpu_layers:I n_cpu_moe:I split_mode:S main_gpu:I no_kv_offload:B flash_attn:I
    devices:S tensor_split:S tensor_buft_overrides:S use_mmap:B load_mode:S embeddings:B
    no_op_offload:I no_host:B fit_target:I fit_min_ctx:I n_prompt:I n_gen:I n_depth:I test_time:S
    avg_ns:I stddev_ns:I avg_ts:R stddev_ts:R samples_ns:A samples_ts:A'
# Without limits: unknown values of lfm2 are null.
our_keys='version:S model:S type:S size:I params:I cpu:S kernels:S threads:I kv:S n_seqs:I
    tokens_per_second:R deviation:R seconds:A ms:R limit_tokens_per_second:N percent_of_limit:N
    read_bytes_per_second:N weights_bytes_per_second:N int8_ops_per_second:N load_seconds:R
    from_cache:B peak_rss:I'
# The keys and types of the object in the first line that has one. An integral real is an I.
json_keys() {
    grep -m 1 '{' "$work/out" | sed -E '
        s/^[^{]*\{//; s/\}[^}]*$//
        s/"([a-z0-9_]+)":"([^"\\]|\\.)*"/\1:S/g
        s/"([a-z0-9_]+)":\[[-+0-9.e,]*\]/\1:A/g
        s/"([a-z0-9_]+)":(true|false)/\1:B/g
        s/"([a-z0-9_]+)":null/\1:N/g
        s/"([a-z0-9_]+)":-?[0-9]+(,|$)/\1:I\2/g
        s/"([a-z0-9_]+)":-?[-+0-9.e]+/\1:R/g' | tr ',' '\n' |
        sed -E 's/^((avg|stddev)_ts|tokens_per_second|deviation|ms|load_seconds):I$/\1:R/'
}
for format in json jsonl; do
    exits 0 bench -t 1 -m "$demo" -p 4 -n 2 -r 2 --chunk 32 --kv q8 --no-roofline -o "$format"
    for key in $llama_keys $our_keys; do
        echo "$key"
    done >"$work/wanted"
    json_keys >"$work/keys"
    diff "$work/wanted" "$work/keys"
    report "keys and types of $format" $?
    [ "$(grep -c '^ \?{.*},\?$' "$work/out")" -eq 2 ]
    report "a line for each object of $format" $?
    out_has '"n_prompt":4,"n_gen":0,"n_depth":0,'
    out_has '"n_batch":32,"n_ubatch":32,"n_threads":1,'
    out_has '"type_k":"q8_0","type_v":"q8_0",'
    out_has '"use_mmap":true,"load_mode":"mmap",'
    grep -qE '"test_time":"20[0-9]{2}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}Z"' "$work/out"
    report 'the time of the test' $?
    # samples agree with their mean and deviation, in ns and tokens per second
    awk -F'"samples_ns":|"samples_ts":|,"version"' '/samples_ns/ {
        split($1, own, /"avg_ns":|,"stddev_ns":|,"avg_ts":|,"stddev_ts":/)
        match($1, /"n_prompt":[0-9]+,"n_gen":[0-9]+/)
        split(substr($1, RSTART, RLENGTH), n, /[:,]/)
        split(substr($2, 2), ns, /[],]/); split(substr($3, 2), ts, /[],]/)
        tokens = n[2] + n[4]
        bad = off(own[2], (ns[1] + ns[2]) / 2) || off(own[4], (ts[1] + ts[2]) / 2) ||
            off(ts[1], tokens * 1e9 / ns[1]) || off(ts[2], tokens * 1e9 / ns[2]) ||
            off(own[3] * sqrt(2), size(ns[1] - ns[2])) || off(own[5] * sqrt(2), size(ts[1] - ts[2]))
        if (bad) { print; exit 1 }
        lines++
    }
    function size(a) { return a < 0 ? -a : a }
    function off(a, b) { return (a - b) ^ 2 > (1e-4 * (a + b) + 2) ^ 2 }
    END { exit lines != 2 }' "$work/out"
    report "samples and means of $format" $?
done
exits 0 bench -t 1 -m "$demo" -p 0 -n 1 -r 1 -o json
out_is_json
grep -q '"limit_tokens_per_second":[1-9]' "$work/out"
report 'the limit is a number' $?
grep -q '"int8_ops_per_second":[1-9]' "$work/out"
report 'the peak is a number' $?

# csv NAME...: these columns of test number $test; every value is quoted
test=1
csv() {
    awk -v names="$*" -v test="$test" 'NR == 1 { split($0, head, ",") }
        NR == test + 1 {
            n = split(substr($0, 2, length($0) - 2), cells, "\",\"")
            for (i = 1; i <= n; i++) { value[head[i]] = cells[i] }
            for (i = 1; i <= split(names, name, " "); i++) { print value[name[i]] }
        }' "$work/out"
}
ln -s "$demo" "$work/a \"quoted\", name.gguf"
exits 0 bench -t 1 -m "$work/a \"quoted\", name.gguf" -p 4 -n 2 -r 1 --no-roofline -o csv
[ "$(wc -l <"$work/out")" -eq 3 ]
report 'a line of names and two of values' $?
for key in $llama_keys $our_keys; do
    [ "${key%%:*}" = samples_ns ] || [ "${key%%:*}" = samples_ts ] || printf '%s\n' "${key%%:*}"
done >"$work/wanted"
head -n 1 "$work/out" | tr ',' '\n' | cmp "$work/wanted"
report 'the names of llama-bench and lfm2' $?
out_has "a \"\"quoted\"\", name.gguf\""
awk -v names="$(wc -l <"$work/wanted")" 'NR > 1 {
    if ($0 !~ /^"([^"]|"")*"(,"([^"]|"")*")*$/) { exit 1 }
    gsub(/""/, ""); gsub(/"[^"]*"/, "x"); if (gsub(/,/, "") != names - 1) { exit 1 }
}' "$work/out"
report 'as many quoted values as names' $?
# a file that is read instead of mapped
for format in json jsonl; do
    exits 0 bench -t 1 -m "$demo" --no-mmap -p 0 -n 1 -r 1 --no-roofline -o "$format"
    out_has '"use_mmap":false,"load_mode":"none",'
done
for mode in '0 none --no-mmap' '1 mmap'; do
    read -r mapped name option <<<"$mode"
    exits 0 bench -t 1 -m "$demo" $option -p 0 -n 1 -r 1 --no-roofline -o csv
    [ "$(csv use_mmap load_mode | tr '\n' ' ')" = "$mapped $name " ]
    report "CSV: use_mmap $mapped, load_mode $name" $?
done
exits 0 bench -t 1 -m "$demo" -p 0 -n 1 -r 1
out_has '| % of limit |'
out_has 'limits, measured between the tests: reading ('
[ "$(awk -F'|' '/^\|/ { print NF }' "$work/out" | uniq | wc -l)" -eq 1 ]
report 'as many cells as columns' $?

# parallel sequences: the tests of -n are repeated for each number
exits 0 bench -t 1 -m "$demo" -p 4 -n 2,3 --npl 1,5 -d 0,70 -r 2 --no-roofline
[ "$(grep -c '^| .* CPU ' "$work/out")" -eq 10 ]
report 'a line for each of 10 tests' $?
out_has ' tg3 x 5 |'
out_has ' tg2 x 5 @ d70 |'
exits 0 bench -t 1 -m "$demo" -p 0 -n 2 --npl 70 -r 1 --no-roofline -o json
out_is_json
out_has '"n_gen":2,"n_depth":0,'
out_has '"n_seqs":70,'
out_has '"n_batch":64,'
out_has '"limit_tokens_per_second":null,'
exits 0 bench -t 1 -m "$demo" -p 0 -n 2 --npl 3 -r 1 --no-roofline -o csv
[ "$(csv n_seqs n_gen limit_tokens_per_second | tr '\n' ,)" = 3,2,, ]
report 'three sequences, no limit' $?
exits 2 bench --npl 0
err_has '--npl'
exits 2 bench --npl 1025

# the pack cache is used, unless --no-cache is given
exits 0 pack -t 1 -m "$demo" --cache "$work/pack"
exits 0 bench -t 1 -m "$demo" --cache "$work/pack" -p 0 -n 1 -r 1 --no-roofline
out_has '(pack cache), peak resident memory'
exits 0 bench -t 1 -m "$demo" --cache "$work/pack" --no-cache -p 0 -n 1 -r 1 --no-roofline -o json
out_has '"from_cache":false,'

# The limit, computed by hand for a tiny model in f32: the time to read the weights and the KV cache at
# the two bandwidths that are printed. A token uses 3,948,544 weights, 524,288 of them in the head. It
# uses 4 of 16 experts with 4 x 3 x 256 x 96 weights, and does not use 3,538,944 weights. The KV cache has
# 1024 bytes for each token.
exits 0 synth --shape tiny --type f32 "$work/tiny.gguf"
bench_tiny() { # ARGUMENT...
    exits 0 bench -t 1 -m "$work/tiny.gguf" -r 1 -o csv "$@"
}
# A pass takes no less time than its multiply-adds do. Only eight sequences have enough of them to matter,
# where the machine computes slowly.
bytes_read() { # TEST WEIGHTS ATTENTION [MULTIPLY-ADDS]
    test=$1
    csv n_prompt n_gen n_seqs limit_tokens_per_second read_bytes_per_second \
        weights_bytes_per_second int8_ops_per_second | tr '\n' ' ' |
        awk -v weights="$2" -v kv="$3" -v macs="${4:-0}" '{
        seconds = weights / $6 + kv / $5
        seconds = seconds > 2 * macs / $7 ? seconds : 2 * macs / $7
        ratio = $4 * seconds / ($1 + $2 * $3)
        if (!(ratio < 1.00001 && ratio > 0.99999)) { print ratio; exit 1 }
    }'
    report "bytes read at least: $2, $3" $?
}
# 8 sequences do not use (3 / 4) ^ 8 of the experts
bench_tiny -p 0 -n 1 --npl 1,8
bytes_read 1 $((4 * 3948544)) 1024
bytes_read 2 $((4 * (3948544 + 3538944) - 1889568)) $((8 * 1024)) $((8 * 3948544))
bench_tiny -p 0 -n 2 -d 70
bytes_read 1 $((2 * 4 * 3948544)) $((71 * 1024 + 72 * 1024))
# a pass of 2 tokens without the head does not use (3 / 4) ^ 2 of them; then a pass of 1 with the head
bench_tiny -p 3 -n 0 --chunk 2
bytes_read 1 $((4 * (3948544 - 524288 + 3538944) - 3538944 * 3 + 4 * 3948544)) $((5 * 1024))

# Ctrl-C ends the work at any time.
for run in 1 2 3 4; do
    "$program" bench -t 1 -m "$demo" -p 1 -n 2000 -r 200 --no-roofline >"$work/out" 2>"$work/err" \
        </dev/null &
    pid=$!
    wait_for ' pp1 ' "$work/out"
    sleep "0.1$run"
    interrupted "bench $run"
    out_lacks tg2000
done

# sessions in separate threads
exits 0 bench --sessions 2 --busy 1 -t 2 -n 4 -r 2 --prefetch l2-l1-9k
for line in '| 1 | 1 | 1 |' '| 1 | 2 | 1 |' '| 2 | 1 | 1 |' '| 2 | 2 | 1 |'; do
    out_has "$line"
done
exits 0 bench --sessions 3 -t 1 -n 4 -r 1 -o json
out_has '"threads":1,"n_sessions":3,"n_busy":0,"n_gen":4'
out_is_json
out_lacks '"threads":2'
exits 0 bench --sessions 2 -t 1 -n 4 -r 1 -o csv
grep -qE '^1,2,0,4,[0-9.]+,[0-9.e-]+,[0-9.e-]+$' "$work/out"
report '--sessions as CSV' $?
exits 0 bench --sessions 2 -t 1 -n 4 -r 1 -o jsonl
[ "$(grep -cE '^\{.*\}$' "$work/out")" -eq 2 ]
report '--sessions as JSONL' $?
# an interruption leaves valid JSON
"$program" bench --micro-kernels -t 1 --pool 1 -o json >"$work/out" 2>"$work/err" </dev/null &
pid=$!
for _ in $(seq 300); do
    [ ! -s "$work/out" ] || break
    sleep 0.1
done
kill -TERM $pid
wait $pid
verdict 1 $? 'bench --micro-kernels after SIGTERM'
err_has 'interrupted (cli.interrupted)'
out_is_json
# Stacks of 1 GB and address space for at most two: the threads that were started end, too.
if [ -z "${LFM2_SANITIZED:-}" ]; then
    for _ in 1 2 3; do
        (
            ulimit -s 1048576 -v 2500000 || exit 77
            exec "$program" bench -m "$demo" --sessions 3 -t 1 -n 4 -r 1
        ) >"$work/out" 2>"$work/err" </dev/null
        code=$?
        [ "$code" -ne 77 ] || break # the limits here are lower
        verdict 1 "$code" 'bench without address space for its threads'
        err_has 'the system could not start 3 threads (cli.threads)'
        out_empty
    done
fi
exits 2 bench --sessions 0

# drafts
exits 0 bench -m "$demo" --drafts 0,100 -t 2 -n 40 -r 2 -d 5
for line in '| none |  | ' '| ngram |  | ' '| given | 0 % | ' '| given | 100 % | '; do
    out_has "$line"
done
grep -qE '^\| none .* 1\.000 \| 0\.0 \| 0\.0 \|$' "$work/out"
report 'without drafts none is computed' $?
grep -qE '^\| given \| 100 % .* \| ([0-9.]+) \| \1 \|$' "$work/out"
report 'right drafts are accepted' $?
exits 0 bench -m "$demo" --drafts 50 -t 1 -n 8 -r 1 -o json
out_has '"draft":"given","percent":50,"n_prompt":1,"n_gen":8,"tokens_per_second":'
out_has '"draft":"ngram","percent":null,'
out_is_json
exits 0 bench -m "$demo" --drafts 50 -t 1 -n 8 -r 1 -o jsonl
[ "$(grep -cE '^\{.*\}$' "$work/out")" -eq 3 ]
report '--drafts as JSONL' $?
exits 0 bench -m "$demo" --drafts 50 -t 1 -n 8 -r 1 -o csv
grep -qE '^given,50,1,8,[0-9.]+,[0-9.e-]+,[0-9.]+,[0-9.]+$' "$work/out"
report '--drafts as CSV' $?
exits 2 bench --drafts 101
exits 2 bench --drafts 50 -n 1
err_has 'needs -n 2 or more'
exits 2 bench --drafts 50 --sessions 2
# operations of a session
mkdir "$work/tmp"
export TMPDIR=$work/tmp
exits 0 bench -m "$demo" --operations -t 1 -d 70 -r 2
for line in fork 'rewind 1 + 1 token' 'rewind 35 + 1 token' 'rewind 69 + 1 token' save restore 'cached prefix + 1 token' \
    'the same from a file' 'prompt 72' 'prompt 64 + 8 sessions'; do
    grep -qE "^\\| ${line//+/\\+} +\\| +70 \\| +[0-9]+\\.[0-9]{4} \\| +[0-9]+\\.[0-9]{4} \\| +([0-9.]+ )?\\|\$" "$work/out"
    report "--operations measures: $line" $?
done
grep -qE '^\| restore .* [0-9]+\.[0-9]{2} \|$' "$work/out"
report 'restoring has a rate' $?
exits 0 bench -m "$demo" --operations -t 1 -d 3 -r 1 -o json -p 0 -n 0 --kv q8_0
out_has '{"operation":"fork","depth":3,"median_seconds":'
grep -qE '"operation":"save".*"bytes":[1-9]' "$work/out"
report 'saving has bytes' $?
out_lacks 'rewind 2'
out_is_json
exits 0 bench -m "$demo" --operations -t 1 -r 1 -o jsonl
[ "$(grep -cE '^\{.*"depth":512,.*\}$' "$work/out")" -eq 10 ]
report '--operations as JSONL' $?
exits 0 bench -m "$demo" --operations -t 1 -d 1 -r 1 -o csv
grep -qE '^rewind 1 \+ 1 token,1,[0-9.e-]+,[0-9.e-]+,0$' "$work/out"
report '--operations as CSV' $?
[ -z "$(ls "$TMPDIR")" ]
report 'no files are left' $?
TMPDIR=$work/none exits 1 bench -m "$demo" --operations -t 1 -d 1
err_has "$work/none: cannot make a folder"
unset TMPDIR
exits 2 bench --operations --machine
exits 2 bench --prefetch sideways
exits 2 bench --policies --prefetch l1-4k
exits 2 bench --policies --machine
exits 2 bench --policies -n 0
exits 0 bench --policies -n 2 --npl 1,3 -r 2 -v
out_has '| type | sequences | auto | none |'
out_has '| Q4_0 | 3 |'

# only the machine
exits 0 bench --machine -t 1,2
[ "$(grep -c '^| [12] | [1-9]' "$work/out")" -eq 2 ]
report 'a line for each thread count' $?
exits 0 bench --machine -t 1 -o json
out_is_json
out_has '"read_bytes_per_second":'
exits 0 bench --machine -t 1,2 -o jsonl
[ "$(grep -c '^{"threads":[12],.*}$' "$work/out")" -eq 2 ] && [ "$(wc -l <"$work/out")" -eq 2 ]
report 'two lines of JSON' $?
exits 0 bench --machine -t 1 -o csv --cpu-disable all
out_has ',scalar,'
[ "$(awk -F, '{ print NF }' "$work/out" | uniq)" = 5 ]
report 'five fields' $?

exits 0 bench --micro-kernels --m 1 --n 64 --k 320 --pool 1 --seconds 0.001 -t 1
out_has '| scalar |'
err_has "k 320 is not a multiple of 256"
exits 0 bench --micro-kernels --m 1 --n 64 --k 256 --pool 1 --seconds 0.001 -t 1
out_has '| scalar |'
exits 0 bench --micro-kernels --m 1,3 --n 64 --k 256 --pool 1 --seconds 0.001 -t 1 -o json \
    --filter scalar
out_is_json
exits 0 bench --micro-kernels --m 1 --n 64 --k 256 --pool 1 --seconds 0.001 -t 1 -o jsonl --filter scalar
[ "$(grep -c '^{"kernel":.*}$' "$work/out")" -eq "$(wc -l <"$work/out")" ] && [ -s "$work/out" ]
report 'lines of JSON' $?
finish
