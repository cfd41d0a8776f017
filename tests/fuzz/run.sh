#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs libFuzzer targets, one after the other, each for a number of seconds, from its committed corpus
# and the inputs of earlier runs. An input that kills a target, or takes a minute or 2 GB, is written to
# BUILD/tests/fuzz-found; the exit status is then 1 and a message names the file.
#
#   tests/fuzz/run.sh [--build BUILD] [--seconds N] [--seed S] [--jobs J] [--fresh] [--minimize]
#                     [TARGET...]
#
#   --build     build folder with -DLFM2_FUZZ=ON (default: build-fuzz)
#   --seconds   for each target (default: 60)
#   --seed      of libFuzzer's random numbers (default: 0, another one each time)
#   --jobs      processes for each target (default: 1), which exchange inputs
#   --fresh     delete the inputs of earlier runs
#   --minimize  no fuzzing: copies a few small inputs of earlier runs, which together reach every branch
#               that the committed ones do not reach, to BUILD/tests/fuzz-minimal/TARGET
# Without TARGET: all. For hours: --seconds 36000 --jobs 8, then --minimize; the result may be committed
# if it is small.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "$here/../.." && pwd)/build-fuzz
seconds=60
seed=0
jobs=1
fresh=0
minimize=0
targets=()
while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$2 && shift ;;
    --seconds) seconds=$2 && shift ;;
    --seed) seed=$2 && shift ;;
    --jobs) jobs=$2 && shift ;;
    --fresh) fresh=1 ;;
    --minimize) minimize=1 ;;
    -*)
        sed -n 's/^#  *\(tests\/fuzz\/run.sh\)/usage: \1/p' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
    *) targets+=("$1") ;;
    esac
    shift
done
if [ ${#targets[@]} -eq 0 ]; then
    for file in "$here"/fuzz_*.c; do
        name=$(basename "$file" .c)
        targets+=("${name#fuzz_}")
    done
fi
export ASAN_OPTIONS=detect_stack_use_after_return=0:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1

# Sets `seeds` to the folders of a target's committed inputs.
seeds_of() {
    seeds=("$here/corpus/$1")
    if [ "$1" = gguf ]; then
        seeds+=("$here/corpus/model")
    fi
}

# libFuzzer's merge also keeps inputs that only execute a branch more often; these are not copied. Its
# control file lists the names, folder by folder and by size, and for each a line COV with the branches
# that no earlier input reached.
minimize() {
    local all=$build/tests/fuzz-minimal/$1.all control=$build/tests/fuzz-minimal/$1.control name
    rm -rf "$minimal" "$all" "$control" && mkdir -p "$minimal" "$all" &&
        find "${seeds[@]}" -type f -exec cp -t "$all" {} + &&
        "$program" -merge=1 -merge_control_file="$control" "$all" "$corpus" >"$minimal.log" 2>&1 ||
        return 1
    awk 'NR == 1 { n = $1 } NR == 2 { old = $1 } NR > 2 && NR <= n + 2 { name[NR - 3] = $0 }
         $1 == "COV" { fresh = 0
                       for (i = 3; i <= NF; i++) fresh += !seen[$i]++
                       if (fresh > 0 && $2 >= old) print name[$2] }' "$control" |
        while read -r name; do cp "$name" "$minimal"; done
    printf '%s: %d inputs, %d bytes, in %s\n' "$1" "$(find "$minimal" -type f | wc -l)" \
        "$(cat "$minimal"/* /dev/null 2>/dev/null | wc -c)" "$minimal"
}

# Prints inputs for a log that is kept longer than the files: base64 -d | gunzip restores them.
show_inputs() { # LIBFUZZER-LOG
    local input
    sed -n 's/.*Test unit written to //p' "$1" | while read -r input; do
        printf '%s, gzip and base64:\n' "$input"
        gzip -9nc "$input" | base64
    done
}

failed=()
for name in "${targets[@]}"; do
    program=$build/tests/libfuzz_$name
    corpus=$build/tests/fuzz-corpus/$name
    found=$build/tests/fuzz-found
    minimal=$build/tests/fuzz-minimal/$name
    if [ $fresh -eq 1 ]; then
        rm -rf "$corpus"
    fi
    mkdir -p "$corpus" "$found" || exit 2
    seeds_of "$name"
    if [ $minimize -eq 1 ]; then
        minimize "$name" || failed+=("$name")
        continue
    fi
    options=(-seed="$seed" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 -max_len=262144
        -artifact_prefix="$found/$name-" -print_final_stats=1 -verbosity=1)
    if [ "$jobs" -gt 1 ]; then
        options+=(-fork="$jobs")
    fi
    printf '== %s: %d s\n' "$name" "$seconds"
    if ! "$program" "${options[@]}" "$corpus" "${seeds[@]}" >"$found/$name.log" 2>&1; then
        failed+=("$name")
        grep -vE '^#[0-9]+' "$found/$name.log" | tail -n 60
        printf '%s failed; its input is among: %s\n' "$name" "$found/$name-*"
        show_inputs "$found/$name.log"
    fi
    tail -n 12 "$found/$name.log" | grep -E '^stat::(number_of_executed|average_exec|peak_rss)|DONE|^#'
done
if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed: %s\n' "${failed[*]}"
    exit 1
fi
