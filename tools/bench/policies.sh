# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# tools/bench/compare --policies: the measured prefetch policies of lfm2 against each fixed one. To be
# sourced.

policy_seqs=1,8,16

# Measures one file. Its lines go to $work/lines, without the head of the table.
measure_policies() { # LABEL
    rest policies
    run "$program" bench --policies -m "$model" --cache "$pack" -t "$threads" --npl "$policy_seqs" \
        -n "$policy_steps" -r "$policy_rounds" || return 1
    head -n 2 "$work/out" >"$work/head"
    tail -n +3 "$work/out" | sed "s/^| [^|]* |/| $1 |/" >>"$work/lines"
    [ -s "$work/head" ] && [ -s "$work/lines" ]
}

write_policies() {
    {
        printf '%s: %s, %s processors, %s GB; %s threads; %s.\n' "$today" "$cpu" "$(nproc)" \
            "$memory" "$threads" "$("$program" --version 2>/dev/null | head -n 1)"
        printf 'Load before: %s. Tokens/s of all sequences, medians of %s rounds of %s steps; ' \
            "$load" "$policy_rounds" "$policy_steps"
        printf 'all policies in\nalternation in one process, "auto" after 50 steps.\n\n'
        cat "$work/head" "$work/lines"
        printf '\nThe column for the lab book: auto; the fastest fixed policy; auto / fastest.\n\n'
        printf '| file, sequences | %s |\n|---|---|\n' "$cpu"
        # Columns of a line: type, sequences, auto, the policies, name of the fastest, ratio.
        awk -F ' *[|] *' 'NR == 1 { for (i = 5; i < NF - 2; i++) column[$i] = i }
            NR > 2 { name = $(NF - 2)
                printf "| %s, %s | %s; %s (%s); %s |\n", $2, $3, $4, $(column[name]), name, $(NF - 1) }' \
            "$work/head" "$work/lines"
    } >"$table"
}

compare_policies() {
    local one given=$model types=("${policy_types[@]}") failed=0
    policy_rounds=$rounds policy_steps=8
    llama=()
    if [ -n "$given" ]; then
        types=("$(basename "$given" .gguf)")
    elif [ -n "$type_given" ]; then
        types=("$type")
    fi
    work=$(mktemp -d) || fail "cannot make a temporary folder"
    read -r load _ </proc/loadavg
    rows=()
    find_lfm2
    find_threads
    find_machine
    for one in "${types[@]}"; do
        if [ -z "$given" ]; then
            type=$one model=''
        fi
        make_models
        if measure_policies "$one"; then
            say "$one: measured"
            write_policies
        else
            complain "$one"
            failed=1
        fi
    done
    [ ! -e "$work/lines" ] || cat "$table"
    exit "$failed"
}
