# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Writes the CSV, the table and the pictures of tools/bench/compare. To be sourced.

title() { # ROW
    case $1 in
    pp32) echo 'prefill 32: ms to the first token' ;;
    pp*) echo "prefill ${1#pp}, tokens/s" ;;
    tg32) echo 'decode, empty context, tokens/s' ;;
    tg32-d*) echo "decode at depth ${1#tg32-d}, tokens/s" ;;
    npl*) echo "decode, ${1#npl} sequences together, tokens/s of all" ;;
    start) echo 'process start to first token, pack cache, s' ;;
    start-nocache) echo 'the same without pack cache, s' ;;
    rss) echo 'peak resident memory, context 4096, MB' ;;
    qwen-pp512) echo 'prefill 512, tokens/s; llama.cpp: Qwen3-1.7B Q4_0' ;;
    qwen-tg32) echo 'decode, tokens/s; llama.cpp: Qwen3-1.7B Q4_0' ;;
    esac
}

less_is_better() {
    case $1 in
    pp32 | start* | rss) return 0 ;;
    *) return 1 ;;
    esac
}

# One line of the table: the figures of each program in the order of the rounds, the ratio of their
# medians (above 1: lfm2 is better), the rates of the machine.
table_line() { # ROW
    awk -F, -v row="$1" -v title="$(title "$1")" -v less="$(less_is_better "$1" && echo 1)" '
        function median(list, n,  i, j, t) {
            for (i = 1; i <= n; i++)
                for (j = i + 1; j <= n; j++)
                    if (list[j] < list[i]) { t = list[i]; list[i] = list[j]; list[j] = t }
            return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
        }
        function nice(x) { return sprintf(x < 10 ? "%.2f" : x < 100 ? "%.1f" : "%.0f", x) }
        function joined(text, x) { return text == "" ? x : text ", " x }
        $1 == row && $4 != "" {
            if ($2 == "llama.cpp") { a[++n_a] = $4 + 0; text_a = joined(text_a, nice($4)) }
            else { b[++n_b] = $4 + 0; text_b = joined(text_b, nice($4)) }
            if ($7 + 0 > reading) reading = $7 + 0
            if ($8 + 0 > weights) weights = $8 + 0
            if ($9 + 0 > peak) peak = $9 + 0
            if ($10 != "") percent[++n_percent] = $10 + 0
        }
        $1 == row && $4 == "" { broken[$2] = 1 }
        END {
            ratio = "-"
            if (n_a && n_b) {
                x = median(a, n_a); y = median(b, n_b)
                if (x > 0 && y > 0) ratio = nice(less ? x / y : y / x)
            }
            if (broken["llama.cpp"]) text_a = joined(text_a, "failed")
            if (broken["lfm2"]) text_b = joined(text_b, "failed")
            printf "| %s | %s | %s | %s | %s | %s | %s | %s |\n", title, text_a, text_b, ratio,
                reading ? sprintf("%.1f", reading / 1e9) : "-",
                weights ? sprintf("%.1f", weights / 1e9) : "-",
                peak ? sprintf("%.0f", peak / 1e9) : "-",
                n_percent ? sprintf("%.0f %%", median(percent, n_percent)) : "-"
        }' "$csv"
}

find_machine() {
    cpu=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
    cpu=${cpu:-unknown CPU}
    memory=$(awk '$1 == "MemTotal:" { printf "%.0f", $2 / 1e6 }' /proc/meminfo)
    today=$(date +%Y-%m-%d)
}

describe() {
    local version
    version=$("$program" --version 2>/dev/null | head -n 1)
    printf '%s: %s, %s processors, %s GB; %s threads for both programs.\n' "$today" "$cpu" \
        "$(nproc)" "$memory" "$threads"
    printf '%s, %s; llama.cpp: %s.\n' "$(basename "$model")" "${version:-lfm2}" "$llama_version"
    printf 'Load before: %s. Several figures: rounds in alternation. Ratio: of medians, ' "$load"
    printf 'above 1 where lfm2 is better.\nThe bandwidth of reading new memory, that of reading '
    printf 'the packed weights, and the int8 peak\nwere measured in the same minute; the last '
    printf 'column is the percentage of the physical limit that lfm2 reaches.\n'
}

write_table() {
    local row
    {
        describe
        printf '\n| work | llama.cpp | lfm2 | ratio | read GB/s | weights GB/s | int8 GOP/s | '
        printf 'of the limit |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n'
        for row in "${rows[@]}"; do
            if grep -q "^$row," "$csv"; then
                table_line "$row"
            fi
        done
    } >"$table"
}

begin_csv() {
    printf 'row,side,round,figure,threads,flash_attn,read_bytes_per_second,%s\n' \
        'weights_bytes_per_second,int8_ops_per_second,percent_of_limit,command' >"$csv"
}

record() { # ROW PROGRAM ROUND
    local side=$2
    [ "$side" = lfm2 ] || side=llama.cpp
    printf '%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,"%s"\n' "$1" "$side" "$3" "$figure" "$threads" "$fa" \
        "$read_rate" "$weights_rate" "$int8_rate" "$percent" "${command_line//\"/\"\"}" >>"$csv"
}

# Draws $plot and $curves; they are missing afterwards if no row of theirs was measured.
write_plots() {
    rm -f -- "$plot" "$curves"
    if ! command -v python3 >/dev/null; then
        say "no pictures: they need python3"
        return
    fi
    python3 "$repo/tools/bench/plot.py" --caption "$(basename "$model"), $cpu, $threads threads, \
llama.cpp $llama_version, $today" "$csv" "$plot" >/dev/null || say "the pictures could not be drawn"
}
