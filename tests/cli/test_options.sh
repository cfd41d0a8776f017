# SPDX-License-Identifier: Apache-2.0
# Options that users of llama.cpp and ollama type: other spellings, special numbers, ignored and refused
# options, arguments, seeds, and suggestions for misspelled words.
. "$(dirname "$0")/common.sh"

err_lacks() {
    ! grep -qF -- "$1" "$work/err"
    report "standard error lacks: $1" $?
}
bad() { # MESSAGE ARGUMENT...
    local message=$1
    shift
    exits 2 "$@"
    err_has "$message"
    out_empty
}
ask='What is 21 plus 13?'
fast=(-m "$demo" -t 1)

# ---- Spellings: the result is the same as with the main name --------------------------------------

exits 0 run "${fast[@]}" -p "$ask" --temp 0 --json
sed -E 's/,"(prompt_seconds|generate_seconds|seed)":[^,}]*//g' "$work/out" >"$work/plain"
# spelled DESCRIPTION ARGUMENT...: the JSON is the same, except for times and the seed.
spelled() {
    local what=$1
    shift
    exits 0 run --json "$@"
    err_empty
    sed -E 's/,"(prompt_seconds|generate_seconds|seed)":[^,}]*//g' "$work/out" >"$work/other"
    same "$what" "$work/plain" "$work/other"
}
spelled 'long names' --model "$demo" --threads 1 --prompt "$ask" --temperature 0
spelled 'with =' --model="$demo" --threads=1 --prompt="$ask" --temperature=0
spelled 'the last of two values counts' "${fast[@]}" -p no -p "$ask" --temp 5 --temp 0
spelled 'numbers that mean the default' -m "$demo" -t 1 -p "$ask" --temp 0 -n -1 -c 0 --chunk 0
spelled 'numbers that mean no limit' -m "$demo" -t 1 -p "$ask" --temp 0 -n -2 -c -1 --top-k 0 \
    --top-k -1
spelled 'default threads' -m "$demo" -t -1 -p "$ask" --temp 0
spelled 'default threads, zero' -m "$demo" -t 0 -p "$ask" --temp 0
spelled 'sizes' "${fast[@]}" -p "$ask" --temp 0 --ctx-size 512 -ub 16 --n-predict 100
spelled 'other names of sizes' "${fast[@]}" -p "$ask" --temp 0 --context-size 512 --ubatch-size 16 \
    --max-tokens 100 --predict 100
spelled 'penalties' "${fast[@]}" -p "$ask" --temp 0 --repetition-penalty 1.05 --penalty-last-n -1 \
    --presence-penalty 0 --frequency-penalty 0
spelled 'letters with numbers' "${fast[@]}" -p "$ask" --temp 0 -n100 -c512 -s7 -ub 7
printf '%s' "$ask" >"$work/prompt"
spelled 'a prompt from a file' "${fast[@]}" --file "$work/prompt" --temp 0
spelled 'options without effect' "${fast[@]}" -p "$ask" --temp 0 --simple-io --no-display-prompt \
    --no-warmup --no-escape -st --single-turn --jinja --no-context-shift -fa --flash-attn on -fa 1 \
    -co --color auto --no-perf --log-disable --mmap --nowordwrap
spelled 'types of keys and values' "${fast[@]}" -p "$ask" --temp 0 -ctk f16 --cache-type-v F16

# equal ARGUMENT... -- ARGUMENT...: both print the same.
equal() {
    local first=()
    while [ "$1" != -- ]; do
        first+=("$1")
        shift
    done
    shift
    exits 0 run "${fast[@]}" --temp 0 -n 12 "${first[@]}"
    cp "$work/out" "$work/left"
    exits 0 run "${fast[@]}" --temp 0 -n 12 "$@"
    err_lacks 'ignored'
    same "run ${first[*]} is run $*" "$work/left" "$work/out"
}
printf 'You are a pirate.\n' >"$work/system"
equal "$ask" --system 'You are a pirate.' -- "$ask" -sys 'You are a pirate.'
equal "$ask" --system 'You are a pirate.' -- "$ask" --system-prompt 'You are a pirate.'
equal "$ask" --system 'You are a pirate.' -- "$ask" --system-file "$work/system"
equal "$ask" --system 'You are a pirate.' -- "$ask" -sysf "$work/system"
equal "$ask" --system 'You are a pirate.' -- "$ask" --system-prompt-file "$work/system"
equal "$ask" --raw -- "$ask" -no-cnv
equal "$ask" --raw -- "$ask" --no-conversation
equal "$ask" --stop '=' -- "$ask" -r '='
equal "$ask" --stop '=' -- "$ask" --reverse-prompt '='
equal "$ask" --special --ignore-eos -- "$ask" -sp --ignore-eos
equal "$ask" --kv q8 -- "$ask" --kv Q8_0
equal "$ask" --kv q8 -- "$ask" -ctk q8_0 -ctv q8_0
exits 0 run "${fast[@]}" "$ask" --temp 20 --min-p 0 -n 20 --seed 5
cp "$work/out" "$work/drawn"
exits 0 run "${fast[@]}" "$ask" --temp 20 --min-p 0 -n 20 -s 5
same '-s is --seed' "$work/drawn" "$work/out"
exits 0 run "${fast[@]}" "$ask" --log-verbose -n 1
err_has 'loaded in'
exits 1 run "${fast[@]}" "$ask" -sysf "$work/missing"
err_has 'missing: No such file or directory (cli.input)'
printf 'a\000b' >"$work/zero"
exits 1 run "${fast[@]}" "$ask" -sysf "$work/zero"
err_has 'not a text file: it contains a zero byte'
exits 0 eval "${fast[@]}" "${demo%/*}/heldout.jsonl" --limit 1 --n-predict 8 --ctx-size 512
exits 0 bench "${fast[@]}" -p 2 -p 3,4 -n 0 --n-depth 0 -r 1 --no-roofline -b 64 -ub 8 -ctk f16 \
    -ctv f16 -ngl 0 -nkvo 0 -fa 0 --no-warmup --progress --kernels scalar
[ "$(grep -c '| *pp[234] |' "$work/out")" -eq 3 ]
report 'repeated lists are appended' $?
[ "$(grep -c 'is ignored' "$work/err")" -eq 2 ]
report 'two messages about ignored options' $?
yes 'one two three four' | head -n 40 >"$work/text"
exits 0 perplexity "${fast[@]}" -f "$work/text" --ctx-size 16 --chunks 2 --json
out_has '"windows":2,"n_ctx":16,'
exits 0 perplexity "${fast[@]}" -f "$work/text" -c 64 --windows -1 -ctk q8_0 -ctv q8_0

# ---- Ignored options: each reason is printed once -------------------------------------------------

exits 0 run "${fast[@]}" "$ask" --temp 0 -ngl 99 --n-gpu-layers all -mg 0 --split-mode none -ts 1,1 \
    --device none --no-kv-offload -ncmoe 3 --cpu-moe -fit off
[ "$(wc -l <"$work/err")" -eq 1 ]
report 'one message about GPU options' $?
err_has 'lfm2: -ngl is ignored: lfm2 runs on the CPU, so GPU options have no effect'
out_has 34
exits 0 run "${fast[@]}" "$ask" --temp 0 -b 2048 -tb 4 --mlock --numa distribute --keepalive 5m
[ "$(wc -l <"$work/err")" -eq 5 ]
report 'a message for each reason' $?
out_has 34
for command in logits perplexity eval; do
    exits 2 "$command" -ngl 99 --no-such
    err_has '-ngl is ignored'
done

# ---- Refused options: the message says what to do instead -----------------------------------------

bad 'keys (q8_0) and values (f16) must have the same type: use --kv TYPE' run x -ctk q8_0
bad 'keys (f16) and values (f32) must have the same type' bench --cache-type-v f32
bad "'q4_0' is not one of f16, f32, q8_0, q8" run x --cache-type-k q4_0
bad 'option -hf: lfm2 does not download models' run x -hf LiquidAI/LFM2-8B-A1B-GGUF
bad 'https://huggingface.co/LiquidAI' run x --hf-repo y
bad 'use lfm2 chat for a conversation' run x -cnv
bad 'use lfm2 run for a single prompt' chat -p x
bad 'option -e: escape sequences are not processed' run x -e
bad '--json-schema gives a schema' run x --format json
bad '--json-schema gives a schema' chat --format json
bad 'lfm2 does not have this sampler' run x --mirostat 2
bad 'adapters are not supported' run x --lora y
bad "option --verbose-prompt: 'lfm2 render' shows a prompt" run x --verbose-prompt
bad 'lfm2 has a different file format' perplexity --kl-divergence-base x

# ---- Ranges: the message has the option, the value and the range -----------------------------------

bad "option -n is 0; allowed: 1 to 2147483647; -1 or -2 = no limit but the context" \
    run x -n 0
bad "option -c is -2; allowed: 1 to 2147483647; 0 or -1 = the context length of the model" \
    run x -c -2
bad "option -t is -2; allowed: 1 to 1024; 0 or -1 = one for each performance core" run x -t -2
bad "option -t is 1025; allowed: 1 to 1024" bench -t 1,1025
bad "option --top-k is -2; allowed: 1 to 2147483647; 0 or -1 = off" run x --top-k -2
bad "option --repeat-last-n is 99999999999999999999; allowed: -1 to 16777216" \
    run x --repeat-last-n 99999999999999999999
bad "option --seed: '-2' is not an integer from 0 to 18446744073709551615, or -1 (random)" \
    run x --seed -2
bad "option -n: '-' is not an integer" run x -n -
bad "option --chunk is -1; allowed: 0 to" run x --chunk -1
bad "option -p is -1; allowed: 0 to 16777216" bench -p -1

# ---- Suggestions for misspelled words --------------------------------------------------------------

bad "unknown option '--tmep': did you mean --temp?" run x --tmep 1
bad "unknown option '-temp': did you mean --temp?" run x -temp 1
bad "unknown option '-temp': did you mean --temp?" run x -temp=1
bad "unknown option '--n_predict': did you mean --n-predict?" run x --n_predict 1
bad "unknown option '--contxt': did you mean --context-size?" run x --contxt 1
bad "unknown option '--repeatpenalty': did you mean --repeat-penalty?" run x --repeatpenalty 1
bad "unknown option '--TEMP': did you mean --temp?" run x --TEMP 1
bad "unknown option '--halp': did you mean --help?" run x --halp
bad "unknown option '--typ': did you mean --type?" quantize a b --typ q8_0
exits 2 run x --xyzzy-plugh
err_has "unknown option '--xyzzy-plugh' (cli.usage)"
exits 2 tokenize --temp 1
err_has "unknown option '--temp' (cli.usage)"
bad "unknown command 'rnu': did you mean 'run'?" rnu
bad "unknown command 'RUN': did you mean 'run'?" RUN
bad "unknown command 'perplex': did you mean 'perplexity'?" help perplex
bad "unknown command 'show': did you mean 'inspect'?" show
bad "unknown command 'pull': lfm2 does not manage models" pull lfm2
bad "did you mean 'lfm2 run x.gguf' or 'lfm2 chat x.gguf'?" x.gguf
bad "'-m' is not a command" -m x -p y
exits 2 xyzzy
err_has "unknown command 'xyzzy' (cli.usage)"

# ---- Arguments that are not options ----------------------------------------------------------------

answer=$("$program" run "${fast[@]}" -p "$ask" --temp 0)
asks() { # ARGUMENT...
    exits 0 run --temp 0 -t 1 "$@"
    out_is "$answer\n"
}
asks "$ask"
asks -m "$demo" "$ask"
asks "$ask" -m "$demo"
asks "$demo" "$ask"
asks "$demo" -p "$ask"
asks -- "$ask"
asks "$demo" -f "$work/prompt"
pipes 0 "$ask" run "$demo" -t 1 --temp 0
out_is "$answer\n"
exits 0 run -t 1 -n 1 -- '--temp'
pipes 0 "$ask" run "$demo" - -t 1 --temp 0
out_is "$answer\n"
exits 1 run -m '' x
err_has 'the path of the model is empty'
bad 'option --kernels needs a value, one of auto, scalar, own, xnnpack' bench --kernels --filter x
bad 'give the prompt as an argument or with -p, not both' run -p x y
bad 'give the prompt as an argument or with -p, not both' run "$demo" y -p x
bad 'give the text or a file, not both' run x -f "$work/prompt"
bad "unexpected argument 'y': -m gives the model, so the only argument is the prompt, in quotes" run -m "$demo" x y
bad "unexpected argument 'is': put quotes around a prompt of several words" run Why the is
exits 1 run llama3.2 'Why is the sky blue?'
err_has 'llama3.2: no such model file (cli.model.missing)'
err_has 'https://huggingface.co/LiquidAI'
err_has 'LFM2-8B-A1B-Q4_0.gguf'
out_empty
pipes 1 "$ask" run missing.gguf
err_has 'missing.gguf: no such model file'
mkdir "$work/folder"
: >"$work/folder/config.json"
pipes 1 "$ask" run "$work/folder"
err_has 'folder'
out_empty
exits 0 run -t 1 -n 1 "$work" # another folder's name is a prompt
pipes 0 'Hello!\n' chat "$demo" -t 1 -n 1
bad 'not both' chat "$demo" -m "$demo"
bad 'not both' pack "$demo" -m "$demo"

for prompt in '' ' ' '
'; do
    bad 'the prompt is empty' run "${fast[@]}" -p "$prompt"
    bad 'the prompt is empty' run "${fast[@]}" "$prompt"
done
exits 2 run "${fast[@]}" --raw ''
err_has 'the prompt is empty'
exits 2 run "${fast[@]}" </dev/null
err_has 'the prompt is empty'
exits 0 tokenize -m "$demo" -p '' --ids

exits 0 run "${fast[@]}" --raw '<|im_start|>user' -n 1
err_has 'control tokens in the prompt are treated as text; --special recognizes them'
exits 0 run "${fast[@]}" --raw --special '<|im_start|>user' -n 1
err_lacks 'control tokens'
exits 0 run "${fast[@]}" --raw 'a <| b' -n 1
err_lacks 'control tokens'

# ---- Seeds ----------------------------------------------------------------------------------------

hot=("${fast[@]}" "$ask" --temp 20 --min-p 0 --top-p 1 -n 30)
exits 0 run "${hot[@]}" --json
seed=$(grep -oE '"seed":[0-9]+' "$work/out" | cut -d : -f 2)
text=$(grep -oE '"ids":\[[^]]*\]' "$work/out")
[ -n "$seed" ]
report "the JSON has the seed ($seed)" $?
exits 0 run "${hot[@]}" --json --seed "$seed"
[ "$(grep -oE '"ids":\[[^]]*\]' "$work/out")" = "$text" ]
report 'the printed seed gives the same text' $?
exits 0 run "${hot[@]}" --json
[ "$(grep -oE '"ids":\[[^]]*\]' "$work/out")" != "$text" ]
report 'without --seed the text is different' $?
exits 0 run "${hot[@]}" --json --seed 3 --seed -1
! grep -qE '"seed":3[,}]' "$work/out" && [ "$(grep -oE '"ids":\[[^]]*\]' "$work/out")" != "$text" ]
report '--seed -1 gives a random seed' $?
exits 0 run "${hot[@]}" -v --seed 18446744073709551615
err_has '; seed 18446744073709551615'
pipes 0 '/stats\n' chat "${fast[@]}" --seed 77
out_has ', seed 77'
pipes 0 '/stats\n' chat "${fast[@]}"
first=$(grep -oE 'seed [0-9]+' "$work/out")
pipes 0 '/stats\n' chat "${fast[@]}"
[ -n "$first" ] && [ "$(grep -oE 'seed [0-9]+' "$work/out")" != "$first" ]
report 'chat has a random seed' $?

# ---- A pack cache given with --cache must match ----------------------------------------------------

exits 1 run "${fast[@]}" "$ask" --cache "$work/none"
err_has 'none: cannot be opened: No such file or directory (io.open)'
out_empty
exits 1 run "${fast[@]}" "$ask" --cache "$work/prompt"
err_has '(cache.mismatch)'
out_empty
exits 0 pack "$demo" -t 1 --cache "$work/pack"
exits 0 run "${fast[@]}" "$ask" --temp 0 --cache "$work/pack" -v
err_has 'from the pack cache'
exits 0 synth "$work/tiny.gguf"
exits 1 run -m "$work/tiny.gguf" -t 1 "$ask" --cache "$work/pack"
err_has '(cache.mismatch)'
exits 1 bench "${fast[@]}" --cache "$work/prompt" -p 1 -n 0 -r 1 --no-roofline
exits 0 run "${fast[@]}" "$ask" --temp 0 --cache "$work/prompt" --no-cache
out_is "$answer\n"

# ---- The limits of an answer ------------------------------------------------------------------------

# A model with a long context, which takes too long with sanitizers.
if [ -z "${LFM2_SANITIZED:-}" ]; then
    endless=("$work/tiny.gguf" hi -t 1 --ignore-eos --temp 0 --repeat-penalty 1 --json)
    exits 0 run "${endless[@]}" -c 9000
    out_has '"finish":"length","stop_id":null'
    out_has '"n_generated":8192'
    for n in -1 -2; do
        exits 0 run "${endless[@]}" -c 8300 -n "$n"
        out_has '"finish":"context"'
    done
fi
exits 0 help chat
out_has 'default: 8192'

# -c 0 and -1 are the context length of the model, unlike the default
kv() { # ARGUMENT...
    "$program" inspect "$work/tiny.gguf" --json "$@" | grep -oE '"kv":[0-9]+'
}
trained=$("$program" inspect "$work/tiny.gguf" --json | grep -oE '"n_ctx_train":[0-9]+' | cut -d : -f 2)
[ "$trained" -gt 32768 ] && [ "$(kv -c 0)" = "$(kv -c "$trained")" ] &&
    [ "$(kv -c -1)" = "$(kv -c "$trained")" ]
report "-c 0 and -c -1 are -c $trained" $?
[ "$(kv)" = "$(kv -c 32768)" ]
report 'the default is 32768' $?

# ---- The help lists only options that have an effect -----------------------------------------------

lists() { # COMMAND LISTED... -- NOT-LISTED...
    exits 0 help "$1"
    shift
    while [ "$1" != -- ]; do
        out_has "$1"
        shift
    done
    shift
    while [ $# -gt 0 ]; do
        out_lacks "$1"
        shift
    done
}
lists run --threads --merges --no-cache -- --provider -ngl --gpu-layers --mirostat
lists tokenize --merges --model -- --threads --kernels --cache --cpu-disable
lists detokenize --model -- --threads --kernels --cache --cpu-disable --merges
lists logits --threads --no-cache -- --merges --temp
lists inspect --threads --kernels -- --cache --merges --temp
lists pack --cache --kernels -- --no-cache --merges --temp
lists bench --kernels --micro-kernels --no-cache -- --provider --merges --ctx
lists quantize --threads -- --model --kernels --cache
lists synth --threads --seed -- --model --kernels --cache
finish
