#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Checks by script what the rooms promise: who may include whom, which library is known where, and
# the shape of files and functions.
#   arrows.sh [REPOSITORY]
set -euo pipefail
export LC_ALL=C
repo=$(cd "${1:-$(dirname "${BASH_SOURCE[0]}")/..}" && pwd)
cd "$repo"
broken=0

complain() {
    printf '%s\n' "$*"
    broken=$((broken + 1))
}

# ---- Arrows -------------------------------------------------------------------------------------

# What a file of each room may include with quotes: patterns over the included name. "lfm2.h" is the
# public header. These functions answer in REPLY.
allowed_quotes() {
    case $1 in
    include/lfm2.h) REPLY='' ;;
    include/lfm2_tools.h) REPLY='lfm2.h' ;;
    src/api*) REPLY='lfm2.h lfm2_tools.h */* api*.h' ;;
    src/common/*) REPLY='common/* lfm2.h' ;;
    src/runtime/*) REPLY='runtime/* common/* kernels/kernels.h lfm2.h' ;;
    src/quant/*) REPLY='quant/* common/* lfm2.h' ;;
    src/load/*) REPLY='load/* quant/* runtime/* common/* kernels/kernels.h lfm2.h' ;;
    # The tokenizer is built from the loader's neutral description of a vocabulary.
    src/text/*) REPLY='text/* common/* load/source.h lfm2.h' ;;
    # A model is weights and tokenizer.
    src/model/*)
        REPLY='model/* load/* quant/* runtime/* common/* text/tokenizer.h kernels/kernels.h lfm2.h' ;;
    src/run/*) REPLY='run/* model/* text/* runtime/* common/* lfm2.h' ;;
    src/convert/*) REPLY='convert/* load/* quant/* runtime/* common/* lfm2.h lfm2_tools.h' ;;
    src/bench/*) REPLY='bench/* model/* runtime/* common/* kernels/kernels.h lfm2.h lfm2_tools.h' ;;
    kernels/vector/*)
        REPLY='kernels/kernels.h kernels/tables.h kernels/numbers.h kernels/exp.h kernels/*_layout.h
            kernels/vector/*' ;;
    kernels/*) REPLY='kernels/*' ;;
    # The program compiles these modules of the library a second time (CMakeLists.txt).
    tools/cli/*) REPLY='lfm2.h lfm2_tools.h cli/* common/file.h common/json.h common/utf8.h' ;;
    tools/*) REPLY='lfm2.h lfm2_tools.h' ;;
    *) REPLY='*' ;;
    esac
}

# The system headers that a room may include where that is less than all of them.
allowed_angles() {
    case $1 in
    include/*) REPLY='stddef.h stdint.h' ;;
    kernels/*/cpu.c) REPLY='cpuid.h string.h sys/auxv.h' ;;
    kernels/x86/* | kernels/arm/*) REPLY='math.h string.h *intrin.h arm_neon.h' ;;
    kernels/*) REPLY='stddef.h stdint.h stdbool.h string.h math.h' ;;
    *) REPLY='*' ;;
    esac
}

# Libraries known in one place only.
library_home() {
    case $1 in
    pthreadpool.h) REPLY='src/runtime/sched.c tests/*' ;;
    utf8proc.h) REPLY='src/text/* tests/*' ;;
    xxhash.h) REPLY='src/load/* src/common/* src/model/* tests/*' ;;
    histedit.h) REPLY='tools/cli/support/terminal.c' ;;
    xnnpack.h) REPLY='' ;;
    cmocka.h) REPLY='tests/*' ;;
    *) REPLY='*' ;;
    esac
}

# matches NAME PATTERN...
matches() {
    local name=$1 pattern
    shift
    for pattern in "$@"; do
        # shellcheck disable=SC2053
        if [[ $name == $pattern ]]; then
            return 0
        fi
    done
    return 1
}

set -f
n_includes=0
while IFS=: read -r file line text; do
    n_includes=$((n_includes + 1))
    case $text in
    *\"*)
        name=${text#*\"}
        name=${name%%\"*}
        # A bare name is a file next to the one that includes it.
        if [[ $name != */* && -e ${file%/*}/$name ]]; then
            continue
        fi
        allowed_quotes "$file"
        patterns=($REPLY)
        matches "$name" "${patterns[@]}" ||
            complain "$file:$line: may not include \"$name\" (may: ${patterns[*]:-nothing})"
        ;;
    *\<*)
        name=${text#*<}
        name=${name%%>*}
        allowed_angles "$file"
        patterns=($REPLY)
        matches "$name" "${patterns[@]}" ||
            complain "$file:$line: may not include <$name> (may: ${patterns[*]})"
        library_home "$name"
        patterns=($REPLY)
        matches "$file" "${patterns[@]}" ||
            complain "$file:$line: <$name> is known only in: ${patterns[*]:-no place}"
        ;;
    esac
done < <(find include src kernels tools tests -name '*.[ch]' -exec \
    grep -nHE '^[[:space:]]*#[[:space:]]*include' {} +)
set +f

# Instruction sets are named in kernels/<arch>/ and chosen in kernels/dispatch.c, nowhere else; os.c
# knows how each tells its core that a thread only waits.
while IFS= read -r hit; do
    complain "$hit: ISA conditions belong into kernels/<arch>/"
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*(if|elif).*__(AVX|SSE|FMA|F16C|ARM_|aarch64|x86_64)' \
    include src tools kernels/*.[ch] kernels/scalar kernels/vector kernels/xnnpack 2>/dev/null |
    grep -vE '^src/common/os\.c:.*__(x86_64|aarch64)__' || true)

# Templates over the vector type name no instruction set: its type and functions are in
# kernels/<arch>/v16_*.h.
while IFS= read -r hit; do
    complain "$hit: intrinsics and vector registers belong into kernels/<arch>/"
done < <(grep -rnE '\b_mm|\b__m(128|256|512)|__builtin_ia32|\bv[a-z0-9]+q_(f32|s32|s16|s8|u8)\b|__asm__' \
    kernels/vector || true)

# XNNPACK's names are known in kernels/xnnpack/ and kernels/<arch>/xnnpack*.c (elsewhere: the table).
while IFS= read -r hit; do
    complain "$hit: XNNPACK symbols belong into kernels/xnnpack/ or kernels/<arch>/xnnpack*.c"
done < <(grep -rnE '\bxnn_[a-z0-9_]+' --include='*.[ch]' include src tools kernels |
    grep -vE '^kernels/(xnnpack/|[a-z0-9]+/xnnpack)' || true)

# ---- Shape --------------------------------------------------------------------------------------

files=$(find include src kernels tools tests -name '*.[ch]' | sort)
n_files=$(wc -l <<<"$files")
while IFS= read -r message; do
    complain "$message"
done < <(xargs awk '
    function say(text) { print FILENAME ":" FNR ": " text }
    function end_file() {
        if (n > 800) print file ": " n " lines (800)"
        if (header && !guarded) print file ": no include guard"
    }
    FNR == 1 {
        end_file()
        file = FILENAME; header = file ~ /\.h$/; guarded = start = 0
        if ($0 != "/* SPDX-License-Identifier: Apache-2.0 */") say("not the SPDX line")
    }
    FNR == 2 && !/^\/\*/ { say("no banner comment that says what the file owns") }
    { n = FNR }
    length($0) > 100 { say(length($0) " columns (100)") }
    /\t/ { say("a tab") }
    / $/ { say("a space at the end") }
    /(TODO|FIXME)/ { say("a loose end") }
    /^#[ ]*if 0/ { say("dead code") }
    /^#ifndef [A-Z0-9_]*_H$/ { guarded = 1 }
    /^{/ { start = FNR }
    /^}/ && start {
        if (FNR - start > 111) say("the end of a function of " FNR - start - 1 " lines (110)")
        start = 0
    }
    END { end_file() }' <<<"$files")

# The top level holds its seven rooms and files that start with a dot.
for entry in *; do
    case $entry in
    CMakeLists.txt | include | src | kernels | tests | tools | LICENSE | README.md | build*) ;;
    *) complain "$entry: does not belong on the top level" ;;
    esac
done

# ---- -------------------------------------------------------------------------------------------

[ "$n_includes" -gt 0 ] || complain "no #include found: is $repo the repository?"
if [ "$broken" -gt 0 ]; then
    printf '%d broken\n' "$broken"
    exit 1
fi
printf '%d includes in %d files follow the arrows\n' "$n_includes" "$n_files"
