# SPDX-License-Identifier: Apache-2.0
# Completion of lfm2 for bash. Made by 'lfm2 help --bash' from the option tables.
_lfm2()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local commands='run chat tokenize detokenize inspect logits perplexity eval bench quantize synth pack help' options='' values=''
    # bash makes three words of --name=value
    if [ "$word" = '=' ]; then
        word=''
    elif [ "$before" = '=' ]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$word")
        return
    fi
    case ${COMP_WORDS[1]} in
    help)
        options=$commands
        values=$commands
        ;;
    run)
        options='-p --prompt -f --file --system --system-file --tools --raw -n --predict --stop --ignore-eos --special --json --logprobs --temp --top-k --top-p --min-p --repeat-penalty --repeat-last-n --frequency-penalty --presence-penalty -s --seed -c --ctx --chunk --kv -m --model -v --verbose -t --threads --kernels --cpu-disable --cache --no-cache --no-mmap --merges --help'
        case $before in
        -p | --prompt) values=/any ;;
        -f | --file) values=/file ;;
        --system | -sys | --system-prompt) values=/any ;;
        --system-file | -sysf | --system-prompt-file) values=/file ;;
        --tools) values=/file ;;
        -n | --predict | --n-predict | --max-tokens) values=/any ;;
        --stop | -r | --reverse-prompt) values=/any ;;
        --logprobs) values=/any ;;
        --temp | --temperature) values=/any ;;
        --top-k) values=/any ;;
        --top-p) values=/any ;;
        --min-p) values=/any ;;
        --repeat-penalty | --repetition-penalty) values=/any ;;
        --repeat-last-n | --penalty-last-n) values=/any ;;
        --frequency-penalty) values=/any ;;
        --presence-penalty) values=/any ;;
        -s | --seed) values=/any ;;
        -c | --ctx | --ctx-size | --context-size) values=/any ;;
        --chunk | -ub | --ubatch-size) values=/any ;;
        --kv) values='f16 f32 q8_0 q8' ;;
        -m | --model) values=/file ;;
        -t | --threads) values=/any ;;
        --kernels) values='auto scalar own xnnpack' ;;
        --cpu-disable) values='sse41 avx avx2 avxvnni gfni avx512 avx512vnni avx512bf16 neon dotprod i8mm all' ;;
        --cache) values=/file ;;
        --merges) values='file apply ignore' ;;
        esac
        ;;
    chat)
        options='--system --system-file --tools -n --predict --special --temp --top-k --top-p --min-p --repeat-penalty --repeat-last-n --frequency-penalty --presence-penalty -s --seed -c --ctx --chunk --kv -m --model -v --verbose -t --threads --kernels --cpu-disable --cache --no-cache --no-mmap --merges --help'
        case $before in
        --system | -sys | --system-prompt) values=/any ;;
        --system-file | -sysf | --system-prompt-file) values=/file ;;
        --tools) values=/file ;;
        -n | --predict | --n-predict | --max-tokens) values=/any ;;
        --temp | --temperature) values=/any ;;
        --top-k) values=/any ;;
        --top-p) values=/any ;;
        --min-p) values=/any ;;
        --repeat-penalty | --repetition-penalty) values=/any ;;
        --repeat-last-n | --penalty-last-n) values=/any ;;
        --frequency-penalty) values=/any ;;
        --presence-penalty) values=/any ;;
        -s | --seed) values=/any ;;
        -c | --ctx | --ctx-size | --context-size) values=/any ;;
        --chunk | -ub | --ubatch-size) values=/any ;;
        --kv) values='f16 f32 q8_0 q8' ;;
        -m | --model) values=/file ;;
        -t | --threads) values=/any ;;
        --kernels) values='auto scalar own xnnpack' ;;
        --cpu-disable) values='sse41 avx avx2 avxvnni gfni avx512 avx512vnni avx512bf16 neon dotprod i8mm all' ;;
        --cache) values=/file ;;
        --merges) values='file apply ignore' ;;
        esac
        ;;
    tokenize)
        options='-p --prompt -f --file --special --no-bos --ids --pieces --json -m --model -v --verbose --merges --help'
        case $before in
        -p | --prompt) values=/any ;;
        -f | --file) values=/file ;;
        -m | --model) values=/file ;;
        --merges) values='file apply ignore' ;;
        esac
        ;;
    detokenize)
        options='--ids --ids-file --special --json -m --model -v --verbose --help'
        case $before in
        --ids) values=/any ;;
        --ids-file) values=/file ;;
        -m | --model) values=/file ;;
        esac
        ;;
    inspect)
        options='--tensors --meta --json -c --ctx --chunk --kv -m --model -v --verbose -t --threads --kernels --cpu-disable --help'
        case $before in
        -c | --ctx | --ctx-size | --context-size) values=/any ;;
        --chunk | -ub | --ubatch-size) values=/any ;;
        --kv) values='f16 f32 q8_0 q8' ;;
        -m | --model) values=/file ;;
        -t | --threads) values=/any ;;
        --kernels) values='auto scalar own xnnpack' ;;
        --cpu-disable) values='sse41 avx avx2 avxvnni gfni avx512 avx512vnni avx512bf16 neon dotprod i8mm all' ;;
        esac
        ;;
    logits)
        options='--ids --ids-file -o --output --step -c --ctx --chunk --kv --json -m --model -v --verbose -t --threads --kernels --cpu-disable --cache --no-cache --no-mmap --help'
        case $before in
        --ids) values=/any ;;
        --ids-file) values=/file ;;
        -o | --output) values=/file ;;
        --step) values=/any ;;
        -c | --ctx | --ctx-size) values=/any ;;
        --chunk | -ub | --ubatch-size) values=/any ;;
        --kv) values='f16 f32 q8_0 q8' ;;
        -m | --model) values=/file ;;
        -t | --threads) values=/any ;;
        --kernels) values='auto scalar own xnnpack' ;;
        --cpu-disable) values='sse41 avx avx2 avxvnni gfni avx512 avx512vnni avx512bf16 neon dotprod i8mm all' ;;
        --cache) values=/file ;;
        esac
        ;;
    perplexity)
        options='-f --file -c --ctx --windows --save-logits --save-type --kl-base --special --json --chunk --kv -m --model -v --verbose -t --threads --kernels --cpu-disable --cache --no-cache --no-mmap --merges --help'
        case $before in
        -f | --file) values=/file ;;
        -c | --ctx | --ctx-size) values=/any ;;
        --windows | --chunks) values=/any ;;
        --save-logits) values=/file ;;
        --save-type) values='f32 f16' ;;
        --kl-base) values=/file ;;
        --chunk | -ub | --ubatch-size) values=/any ;;
        --kv) values='f16 f32 q8_0 q8' ;;
        -m | --model) values=/file ;;
        -t | --threads) values=/any ;;
        --kernels) values='auto scalar own xnnpack' ;;
        --cpu-disable) values='sse41 avx avx2 avxvnni gfni avx512 avx512vnni avx512bf16 neon dotprod i8mm all' ;;
        --cache) values=/file ;;
        --merges) values='file apply ignore' ;;
        esac
        ;;
    eval)
        options='--min --limit -n --predict --show --json -c --ctx --chunk --kv -m --model -v --verbose -t --threads --kernels --cpu-disable --cache --no-cache --no-mmap --merges --help'
        case $before in
        --min) values=/any ;;
        --limit) values=/any ;;
        -n | --predict | --n-predict | --max-tokens) values=/any ;;
        -c | --ctx | --ctx-size | --context-size) values=/any ;;
        --chunk | -ub | --ubatch-size) values=/any ;;
        --kv) values='f16 f32 q8_0 q8' ;;
        -m | --model) values=/file ;;
        -t | --threads) values=/any ;;
        --kernels) values='auto scalar own xnnpack' ;;
        --cpu-disable) values='sse41 avx avx2 avxvnni gfni avx512 avx512vnni avx512bf16 neon dotprod i8mm all' ;;
        --cache) values=/file ;;
        --merges) values='file apply ignore' ;;
        esac
        ;;
    bench)
        options='-p --n-prompt -n --n-gen --npl -d --depth -t --threads -r --repetitions -o --output --delay --no-roofline --prefetch --sessions --busy --machine --chunk --kv -m --model -v --verbose --kernels --cpu-disable --cache --no-cache --no-mmap --micro-kernels --m --n --k --pool --seconds --filter --help'
        case $before in
        -p | --n-prompt) values=/any ;;
        -n | --n-gen) values=/any ;;
        --npl) values=/any ;;
        -d | --depth | --n-depth) values=/any ;;
        -t | --threads) values=/any ;;
        -r | --repetitions) values=/any ;;
        -o | --output) values='md json jsonl csv' ;;
        --delay) values=/any ;;
        --prefetch) values='cpu l2-l1 l1 l2' ;;
        --sessions) values=/any ;;
        --busy) values=/any ;;
        --chunk | -ub | --ubatch-size) values=/any ;;
        --kv) values='f16 f32 q8_0 q8' ;;
        -m | --model) values=/file ;;
        --kernels) values='auto scalar own xnnpack' ;;
        --cpu-disable) values='sse41 avx avx2 avxvnni gfni avx512 avx512vnni avx512bf16 neon dotprod i8mm all' ;;
        --cache) values=/file ;;
        --m) values=/any ;;
        --n) values=/any ;;
        --k) values=/any ;;
        --pool) values=/any ;;
        --seconds) values=/any ;;
        --filter) values=/any ;;
        esac
        ;;
    quantize)
        options='--type --allow-requantize --json -t --threads --help'
        case $before in
        --type) values='q4_0 q4_k_s q4_k_m q5_k_s q5_k_m q6_k q8_0 f16 bf16 f32' ;;
        -t | --threads) values=/any ;;
        esac
        ;;
    synth)
        options='--shape --type --seed --json -t --threads --help'
        case $before in
        --shape) values=/any ;;
        --type) values='q4_0 q4_k_s q4_k_m q5_k_s q5_k_m q6_k q8_0 f16 bf16 f32' ;;
        --seed) values=/any ;;
        -t | --threads) values=/any ;;
        esac
        ;;
    pack)
        options='--cache --verify --json -m --model -v --verbose -t --threads --kernels --cpu-disable --help'
        case $before in
        --cache) values=/file ;;
        -m | --model) values=/file ;;
        -t | --threads) values=/any ;;
        --kernels) values='auto scalar own xnnpack' ;;
        --cpu-disable) values='sse41 avx avx2 avxvnni gfni avx512 avx512vnni avx512bf16 neon dotprod i8mm all' ;;
        esac
        ;;
    esac
    if [ -z "$values" ] && [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    elif [ -z "$values" ] || [ "$values" = /file ]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    elif [ "$values" = /any ]; then
        COMPREPLY=()
    else
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
    fi
}
complete -F _lfm2 lfm2
