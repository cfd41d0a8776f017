# SPDX-License-Identifier: Apache-2.0
# Help, the option parser, exit codes, and where output goes.
. "$(dirname "$0")/common.sh"

commands=$(cd "${LFM2_REPO:?names the repository}/tools/cli" && printf '%s\n' cmd_*.c | sed 's/^cmd_//; s/\.c$//')

exits 0 --version
out_has 'lfm2 0.'
err_empty
for flag in --help -h help; do
    exits 0 "$flag"
    err_empty
    awk 'length > 80 { exit 1 }' "$work/out"
    report 'the overview has no long line' $?
    for command in $commands; do
        out_has "  $command "
    done
done
for command in $commands; do
    exits 0 help "$command"
    out_has "Usage: lfm2 $command"
    err_empty
    cp "$work/out" "$work/help"
    exits 0 "$command" --help
    same "$command --help and help $command agree" "$work/out" "$work/help"
    awk 'length > 80 { exit 1 }' "$work/help"
    report "help of $command has no long line" $?
    exits 2 "$command" --no-such-option
    err_has "lfm2: $command: unknown option '--no-such-option' (cli.usage)"
    err_has "Try 'lfm2 help $command'."
    out_empty
done

exits 2
out_empty
err_has 'no command'
exits 2 frobnicate
err_has "unknown command 'frobnicate'"
exits 2 help frobnicate
exits 0 help help
out_has 'Usage: lfm2 COMMAND'

# option values, which are checked before anything is loaded
bad() { # MESSAGE ARGUMENT...
    local message=$1
    shift
    exits 2 "$@"
    err_has "$message"
    out_empty
}
bad "option --temp: 'warm' is not a number" run -p x --temp warm
bad "option --temp: '' is not a number" run -p x --temp=
bad "option --temp: 'nan' is not a number" run -p x --temp nan
bad "option --temp: ' 1' is not a number" run -p x --temp ' 1'
bad "option --temp: '0x1' is not a number" run -p x --temp 0x1
bad "option --temp: '1e999' is not a number" run -p x --temp 1e999
bad "option --temp is -1; allowed: 0 to 1000" run -p x --temp -1
bad "option --top-p is 1.1; allowed: 0 to 1" run -p x --top-p=1.1
bad "option -n is -3; allowed: 1 to 2147483647; -1 or -2 = no limit but the context" run -p x -n -3
bad "option -n: '3x' is not an integer" run -p x -n3x
bad "option --predict is 4294967296; allowed: 1 to 2147483647; -1 or -2 =" run -p x --predict 4294967296
bad "option --seed: '18446744073709551616' is not an integer from 0 to 18446744073709551615, or -1" \
    run -p x --seed 18446744073709551616
bad "option --repeat-last-n is -2; allowed: -1 to" run -p x --repeat-last-n -2
bad "option --kv: 'f8' is not one of f16, f32, q8" run -p x --kv f8
bad "option --kernels: 'fast' is not one of auto, scalar, own, xnnpack" run -p x --kernels fast
bad "option --cpu-disable: 'mmx' is not one of sse41" run -p x --cpu-disable avx2,mmx
bad "option --stop: the value is empty" run -p x --stop ''
bad "option --raw does not take a value" run -p x --raw=yes
bad "option -m needs a value" run -p x -m
bad "unknown option '-x'" run -x
bad "unknown option '--tem': did you mean --temp?" run --tem=1
bad "unexpected argument 'stray'" tokenize -p x stray
bad "option -p: '1;2' is not an integer" bench -p '1;2'
bad "option -p: '' is not an integer" bench -p 1,,2
bad "option -r is 0; allowed: 1 to" bench -r 0
bad "nothing to measure" bench -p 0 -n 0
bad "nothing to measure: -n is 0" bench --sessions 2 -n 0
bad "option --busy requires --sessions" bench --busy 1
bad "--sessions, --drafts, --policies, --machine and --micro-kernels cannot be combined" bench --machine --sessions 2
bad "option --cache: the path is empty" run -p x --cache ''
bad "option --type: 'q3_k' is not one of" quantize a b --type q3_k
bad "too few arguments" quantize a
bad "too few arguments" synth
bad "unknown type 'c'; allowed: q4_0, q4_k_s" quantize a b c
bad "unexpected argument 'd'" quantize a b q4_0 d
bad "no output file" logits --ids 1
bad "give --ids or --ids-file, not both" logits --ids 1 --ids-file x -o y
bad "give the text or a file, not both" run -p x -f y
bad "--logprobs requires --json" run -p x --logprobs 1
bad "cannot be combined with --raw" run -p x --raw --system y
bad "cannot be combined" tokenize -p x --ids --json
bad "not both" inspect a -m b

# a letter with its value attached, "--", a repeated option
exits 0 tokenize -m "$demo" -p hello --ids
cp "$work/out" "$work/once"
exits 0 tokenize "--model=$demo" --prompt=goodbye --prompt hello --ids
same 'the last of two values counts' "$work/out" "$work/once"
exits 0 run -m "$demo" -p hello -n5 --temp 0 --json
grep -q '"n_generated":[1-5],' "$work/out"
report "a number may be attached to its letter" $?
# Only a number: in llama.cpp these are options.
bad "unknown option '-phello'" tokenize -m "$demo" -phello
bad "unknown option '-rea'" run -m "$demo" -rea off -p x
bad "draft models are not supported" run -md "$demo" -p x
bad "-p and -n are measured separately" bench -pg 8,8
exits 0 bench -m "$demo" -fa 0,1 -mmp 0 -p 8 -n 0 -r 1 --no-roofline
bad "'Q8_0' is a type, so the output file is missing" quantize "$demo" Q8_0
bad "q4_0, q4_k_s, q4_k_m" quantize a b Q2_0
exits 1 quantize "$work/none.gguf" "$work/out.gguf"
err_has "no such model file"
echo x >"$work/short"
exits 1 perplexity -m "$demo" -f "$work/short"
err_has "but a window (-c) needs 512"
exits 2 inspect -- --meta extra
err_has "unexpected argument 'extra'"
exits 1 inspect -- --meta
err_has '--meta'

# a message is one line with a code
exits 1 run -m "$work/missing.gguf" -p x
out_empty
grep -qE '^lfm2: .*missing\.gguf.* \([a-z0-9.]+\)$' "$work/err"
report 'a missing model has its code' $?
printf 'GGUF' >"$work/stub.gguf"
exits 1 run -m "$work/stub.gguf" -p x
grep -qE '^lfm2: .*stub\.gguf.* \([a-z0-9.]+\)$' "$work/err"
report 'a failure of the library has its code' $?
[ "$(wc -l <"$work/err")" -eq 1 ]
report 'one message' $?

# output that fails
if [ -c /dev/full ]; then
    "$program" help run >/dev/full 2>"$work/err"
    report 'a full disk is an error' "$(($? != 1))"
    err_has 'standard output: No space left on device (cli.output)'
    "$program" inspect "$demo" --json >/dev/full 2>"$work/err"
    report 'a full disk is an error of inspect' "$(($? != 1))"
fi
# Closed standard streams: messages must not go into a file that the program writes.
yes 'some words that become tokens' | head -n 60 >"$work/text"
exits 0 perplexity -m "$demo" -f "$work/text" -c 64 -v --save-logits "$work/open"
"$program" perplexity -m "$demo" -f "$work/text" -c 64 -v --save-logits "$work/closed" 2>&- >"$work/out"
exits 1 perplexity -m "$demo" --kl-base "$work/open" -c 128
err_has 'the windows of the reference have 64 tokens, but -c is 128 (cli.kl.window)'
same 'a closed standard error does not change an output file' "$work/open" "$work/closed"
"$program" inspect "$demo" 2>"$work/err" >&-
report 'a closed standard output is an error' "$(($? != 1))"
err_has 'standard output: Bad file descriptor (cli.output)'
yes 'some words that become tokens' | head -n 20000 >"$work/long"
"$program" tokenize -m "$demo" -f "$work/long" 2>"$work/err" | head -c 1 >/dev/null
report 'a closed pipe ends the program with exit code 1' "$((${PIPESTATUS[0]} != 1))"
err_empty
finish
