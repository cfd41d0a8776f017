# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Measures one row of one program for tools/bench/compare. To be sourced.
#
# A measurement sets $figure and, where they apply, $fa (flash attention), $read_rate, $weights_rate
# and $int8_rate (a second) and $percent (of the limit); the others stay empty.

# json_field NAME: the number of that name in $work/out
json_field() {
    sed -nE "s/.*\"$1\": ?(-?[0-9.e+-]+).*/\1/p" "$work/out" | head -n 1
}

# Measures with flash attention off and on and takes the faster, or uses the setting that won in the
# row LEARN-FROM if that row was measured.
declare -A fa_won=()
llama_bench() { # ROW MODEL LEARN-FROM ARGUMENT...
    local row=$1 file=$2 from=$3 flash=0,1
    shift 3
    if [ -n "$from" ]; then
        flash=${fa_won[$from]:-0,1}
    fi
    run "${llama[@]}" llama-bench -m "$file" -t "$threads" -fa "$flash" -o jsonl "$@" || return 1
    # "FA SPEED" of the fastest line
    read -r fa figure < <(sed -nE \
        's/.*"flash_attn": "?([a-z0-9-]+)"?,.*"avg_ts": ([0-9.]+).*/\1 \2/p' "$work/out" |
        sort -k 2 -g | tail -n 1)
    [ -n "${figure:-}" ] || return 1
    fa_won[$row]=$fa
}

# llama-batched-bench 0.7.0 sometimes ends with exit code 0 and without a result; the next attempt
# usually succeeds.
llama_batched() { # SEQUENCES
    local attempt
    for attempt in 1 2 3 4; do
        run "${llama[@]}" llama-batched-bench -m "$model_shown" -t "$threads" -npp 32 -ntg 32 \
            -npl "$1" -c $(($1 * 256)) --output-format jsonl || return 1
        figure=$(json_field speed_tg)
        [ -z "$figure" ] || return 0
        say "llama-batched-bench printed no result in attempt $attempt"
    done
    return 1
}

lfm2_bench() { # FIELD ARGUMENT...
    local field=$1
    shift
    run "$program" bench -m "$model" --cache "$pack" -t "$threads" -o json \
        --delay $((settle > 3 ? 3 : settle)) "$@" || return 1
    figure=$(json_field "$field")
    read_rate=$(json_field read_bytes_per_second)
    weights_rate=$(json_field weights_bytes_per_second)
    int8_rate=$(json_field int8_ops_per_second)
    percent=$(json_field percent_of_limit)
    [ -n "$figure" ]
}

# Measures the machine for a row that is not a bench, in the same minute.
watch_machine() {
    local before=$command_line
    run "$program" bench --machine -t "$threads" -o json || return 1
    read_rate=$(json_field read_bytes_per_second)
    int8_rate=$(json_field int8_ops_per_second)
    command_line=$before
}

warm() { # FILE...: loads the files into the page cache
    cat -- "$@" >/dev/null
}

timed() { # COMMAND...: sets $figure to the seconds of the whole process
    local start=$EPOCHREALTIME
    run "$@" || return 1
    figure=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f", b - a }')
}

# Polls the high-water mark of the process's resident memory until it ends; sets $figure in MB.
peak_memory() { # COMMAND...
    local now peak=0
    begin "$@"
    while kill -0 "$child" 2>/dev/null; do
        now=$(awk '$1 == "VmHWM:" { print $2 }' "/proc/$child/status" 2>/dev/null)
        if [ "${now:-0}" -gt "$peak" ]; then
            peak=$now
        fi
        sleep 0.02
    done
    wait_for_child || return 1
    figure=$(awk -v k="$peak" 'BEGIN { printf "%.0f", k * 1024 / 1e6 }')
    [ "$peak" -gt 0 ]
}

milliseconds() { # TOKENS: converts $figure from tokens/s to the milliseconds of TOKENS
    figure=$(awk -v n="$1" -v s="$figure" 'BEGIN { printf "%.1f", n / s * 1e3 }')
}

# Waits until the system has taken back the memory of the program before. The rows start* do not
# wait: a host that has taken memory back must find it again, which then dominates both times.
rest() { # ROW
    [[ $1 != start* ]] || return 0
    setsid sleep "$settle" &
    child=$!
    wait_for_child
}

# The rows nplN hold 32 tokens in each context, then generate 32.
measure() { # ROW PROGRAM: llama or lfm2
    fa='' read_rate='' weights_rate='' int8_rate='' percent='' figure=''
    case $1:$2 in
    pp512:llama) llama_bench "$1" "$model_shown" '' -p 512 -n 0 -r 1 ;;
    pp512:lfm2) lfm2_bench tokens_per_second -p 512 -n 0 -r 1 ;;
    pp2048:llama) llama_bench "$1" "$model_shown" pp512 -p 2048 -n 0 -r 1 ;;
    pp2048:lfm2) lfm2_bench tokens_per_second -p 2048 -n 0 -r 1 ;;
    pp32:llama) llama_bench "$1" "$model_shown" '' -p 32 -n 0 -r 3 && milliseconds 32 ;;
    pp32:lfm2) lfm2_bench ms -p 32 -n 0 -r 3 ;;
    tg32:llama) llama_bench "$1" "$model_shown" '' -p 0 -n 32 -r 1 ;;
    tg32:lfm2) lfm2_bench tokens_per_second -p 0 -n 32 -r 1 ;;
    tg32-d4096:llama) llama_bench "$1" "$model_shown" '' -p 0 -n 32 -d 4096 -r 1 ;;
    tg32-d16384:llama) llama_bench "$1" "$model_shown" tg32-d4096 -p 0 -n 32 -d 16384 -r 1 ;;
    tg32-d*:lfm2) lfm2_bench tokens_per_second -p 0 -n 32 -d "${1#tg32-d}" -r 1 ;;
    npl*:llama) llama_batched "${1#npl}" ;;
    npl*:lfm2) lfm2_bench tokens_per_second -p 0 -n 32 -d 32 --npl "${1#npl}" -r 1 ;;
    start*:llama)
        warm "$model"
        timed "${llama[@]}" llama-completion -m "$model_shown" -t "$threads" -p Hello -n 1 \
            -no-cnv --temp 0
        ;;
    start:lfm2)
        warm "$model" "$pack"
        timed "$program" run -m "$model" --cache "$pack" -t "$threads" --raw -p Hello -n 1 \
            --temp 0 && watch_machine
        ;;
    start-nocache:lfm2)
        warm "$model"
        timed "$program" run -m "$model" --no-cache -t "$threads" --raw -p Hello -n 1 --temp 0 &&
            watch_machine
        ;;
    rss:llama) peak_memory "${llama[@]}" llama-completion -m "$model_shown" -t "$threads" \
        -c 4096 -p Hello -n 16 -no-cnv --temp 0 ;;
    rss:lfm2) peak_memory "$program" run -m "$model" --cache "$pack" -t "$threads" -c 4096 --raw \
        -p Hello -n 16 --temp 0 ;;
    qwen-pp512:llama) llama_bench "$1" "$qwen_shown" '' -p 512 -n 0 -r 1 ;;
    qwen-pp512:lfm2) lfm2_bench tokens_per_second -p 512 -n 0 -r 1 ;;
    qwen-tg32:llama) llama_bench "$1" "$qwen_shown" '' -p 0 -n 32 -r 1 ;;
    qwen-tg32:lfm2) lfm2_bench tokens_per_second -p 0 -n 32 -r 1 ;;
    esac
}
