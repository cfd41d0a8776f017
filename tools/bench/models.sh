# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# The lfm2 program and the model files of tools/bench/compare. To be sourced.

find_lfm2() {
    if [ -n "$program" ]; then
        [ -x "$program" ] || fail "no such program: $program"
        return
    fi
    program=$repo/build/lfm2
    if [ ! -x "$program" ]; then
        say "building lfm2 ..."
        "$repo/tools/setup" >&2 || exit 1 # in the foreground: sudo may ask for a password
        if ! { cmake -S "$repo" -B "$repo/build" -G Ninja ${LFM2_DEPS:+-DLFM2_DEPS="$LFM2_DEPS"} &&
            cmake --build "$repo/build" --target lfm2_program; } >"$work/build.log" 2>&1; then
            tail -n 20 "$work/build.log" >&2
            fail "the build failed."
        fi
    fi
}

find_threads() {
    if [ -z "$threads" ]; then
        run "$program" bench --machine -o csv
        threads=$(tail -n 1 "$work/out" | cut -d, -f1)
        is_number "${threads:-}" || fail "$program does not run"
    fi
}

make_models() {
    if [ -z "$model" ]; then
        model=$cache/lfm2-8b-a1b-$type-$seed.gguf
        if [ ! -e "$model" ]; then
            need_disk 10 "the model of the shape of LFM2-8B-A1B"
            say "making $model ..."
            shown_run "$program" synth --shape lfm2-8b-a1b --type "$type" --seed "$seed" "$model" ||
                fail "lfm2 synth failed"
        fi
    fi
    model=$(realpath -- "$model")
    pack=$cache/$(basename "$model").lfm2pack
    local bytes free
    bytes=$(stat -Lc %s "$model")
    if ! run "$program" pack --verify -m "$model" --cache "$pack"; then
        need_disk $((bytes / 900000000 + 1)) "the pack cache"
        shown_run "$program" pack -m "$model" --cache "$pack" || fail "lfm2 pack failed"
    fi
    free=$(awk '$1 == "MemAvailable:" { print int($2 / 1000) }' /proc/meminfo)
    if [ "${free:-0}" -lt $((bytes / 1000000 * 5 / 2)) ]; then
        say "warning: $free MB of memory are free; llama.cpp's copy, the file and the pack cache" \
            "take $((bytes / 1000000 * 5 / 2)) MB: the figures may include reading from disk"
    fi
    if has_row 'qwen-*' && [ -z "$qwen" ]; then
        qwen=$cache/qwen3-1.7b-q4_0-$seed.gguf
        if [ ! -e "$qwen" ]; then
            need_disk 2 "the file of the shape of Qwen3-1.7B"
            say "making $qwen ..."
            make_qwen || fail "making $qwen failed." \
                "It needs python3: apt-get install python3, or leave out the rows qwen-*."
        fi
    fi
}

make_qwen() {
    if command -v python3 >/dev/null; then
        python3 "$repo/tools/bench/qwen3_file.py" --seed "$seed" "$qwen"
    elif [ -n "$chroot" ]; then
        mount_into "$cache" "$chroot/srv"
        "${inside[@]}" python3 - --seed "$seed" "/srv/$(basename "$qwen")" \
            <"$repo/tools/bench/qwen3_file.py"
    else
        return 1
    fi
}
