#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Checks the source tree: what each module may include, where each library and instruction set may be
# named, the length and form of files and functions, and words that the project does not use.
#   rules.sh [REPOSITORY]
set -euo pipefail
export LC_ALL=C
repo=$(cd "${1:-$(dirname "${BASH_SOURCE[0]}")/..}" && pwd)
cd "$repo"
broken=0

complain() {
    printf '%s\n' "$*"
    broken=$((broken + 1))
}

# ---- Dependencies -------------------------------------------------------------------------------

# Sets REPLY to patterns of the names that a file of a module may include with quotes. "lfm2.h" is the
# public header.
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
    # A model contains its tokenizer, the trie of its tokens, and its chat templates.
    src/model/*)
        REPLY='model/* load/* quant/* runtime/* common/* text/tokenizer.h text/chat_set.h
            text/grammar/matcher.h kernels/kernels.h lfm2.h'
        ;;
    src/run/*) REPLY='run/* model/* text/* runtime/* common/* lfm2.h' ;;
    src/convert/*)
        REPLY='convert/* load/* quant/* runtime/* common/* text/chat_format.h lfm2.h lfm2_tools.h' ;;
    src/imatrix/*)
        REPLY='imatrix/* model/* convert/gguf_write.h load/* runtime/* common/* lfm2.h lfm2_tools.h' ;;
    src/bench/*) REPLY='bench/* model/* runtime/* common/* kernels/kernels.h lfm2.h lfm2_tools.h' ;;
    kernels/vector/*)
        REPLY='kernels/kernels.h kernels/tables.h kernels/numbers.h kernels/exp.h kernels/*_layout.h
            kernels/vector/*' ;;
    kernels/*) REPLY='kernels/*' ;;
    # The program compiles these modules a second time (CMakeLists.txt).
    tools/cli/*)
        REPLY='lfm2.h lfm2_tools.h cli/* serve/* common/calendar.h common/file.h common/json.h
            common/utf8.h'
        ;;
    tools/serve/*) REPLY='lfm2.h serve/* common/alloc.h common/json.h common/utf8.h' ;;
    tools/*) REPLY='lfm2.h lfm2_tools.h' ;;
    *) REPLY='*' ;;
    esac
}

# Sets REPLY to patterns of the system headers that a file may include.
allowed_angles() {
    case $1 in
    include/*) REPLY='stddef.h stdint.h' ;;
    kernels/*/cpu.c) REPLY='cpuid.h string.h sys/auxv.h' ;;
    kernels/x86/* | kernels/arm/*) REPLY='math.h string.h *intrin.h arm_neon.h' ;;
    kernels/*) REPLY='stddef.h stdint.h stdbool.h string.h math.h' ;;
    *) REPLY='*' ;;
    esac
}

# Sets REPLY to patterns of the files that may include the header of a library.
library_users() {
    case $1 in
    pthreadpool.h) REPLY='src/runtime/sched.c tests/*' ;;
    utf8proc.h) REPLY='src/text/* tests/*' ;;
    xxhash.h) REPLY='src/load/* src/model/state_file.c tests/*' ;;
    histedit.h) REPLY='tools/cli/support/terminal.c' ;;
    event2/*) REPLY='tools/serve/http* tests/serve/*' ;;
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
        # A name without a folder may be a file next to the one that includes it.
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
        library_users "$name"
        patterns=($REPLY)
        matches "$file" "${patterns[@]}" ||
            complain "$file:$line: may not include <$name> (files that may: ${patterns[*]:-none})"
        ;;
    esac
done < <(find include src kernels tools tests -name '*.[ch]' -exec \
    grep -nHE '^[[:space:]]*#[[:space:]]*include' {} +)
set +f

# Only kernels/<arch>/ and kernels/dispatch.c may test for instruction sets. os.c also tests for the
# architecture, to choose the instruction that a spinning thread executes.
while IFS= read -r hit; do
    complain "$hit: ISA conditions belong into kernels/<arch>/"
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*(if|elif).*__(AVX|SSE|FMA|F16C|ARM_|aarch64|x86_64)' \
    include src tools kernels/*.[ch] kernels/scalar kernels/vector kernels/xnnpack 2>/dev/null |
    grep -vE '^src/common/os\.c:.*__(x86_64|aarch64)__' || true)

# The templates in kernels/vector use the vector type and functions of kernels/<arch>/v16_*.h, no
# intrinsics.
while IFS= read -r hit; do
    complain "$hit: intrinsics and vector registers belong into kernels/<arch>/"
done < <(grep -rnE '\b_mm|\b__m(128|256|512)|__builtin_ia32|\bv[a-z0-9]+q_(f32|s32|s16|s8|u8)\b|__asm__' \
    kernels/vector || true)

# Only kernels/xnnpack/ and kernels/<arch>/xnnpack*.c may name XNNPACK's functions; other files use the
# kernel table.
while IFS= read -r hit; do
    complain "$hit: XNNPACK symbols belong into kernels/xnnpack/ or kernels/<arch>/xnnpack*.c"
done < <(grep -rnE '\bxnn_[a-z0-9_]+' --include='*.[ch]' include src tools kernels |
    grep -vE '^kernels/(xnnpack/|[a-z0-9]+/xnnpack)' || true)

# ---- Shape --------------------------------------------------------------------------------------

# Files of C, and scripts of shell and Python: their lengths, those of their functions, and their form.
# Markdown, data, generated files and the header of an older version have no limit.
c_files=$(find include src kernels tools tests -path tests/abi/0.2 -prune -o \
    -name '*.[ch]' -print | sort)
scripts=$(find .ci kernels tests tools -path 'tests/fuzz/corpus' -prune -o -type f \
    \( -name '*.sh' -o -name '*.py' -o ! -name '*.*' \) -print | sort)

# Rules of all files. The rules of a language set `length_of_function` where a function ends and check a
# whole file in end_file(), where `file` and `n` are its name and number of lines.
common='
    function say(text) { print FILENAME ":" FNR ": " text }
    function finish() {
        if (n > 600 && file != "include/lfm2.h") print file ": " n " lines (600)"
        end_file()
    }
    FNR == 1 { if (file) finish(); file = FILENAME; start = 0 }
    { n = FNR }
    /TOD[O]|FIXM[E]/ { say("a note about unfinished work") }
    END { finish() }'
c_rules='
    function end_section(last) {
        if (file ~ /^include/ && section && last - section >= 150)
            print file ":" section ": a section of " last - section + 1 " lines (150)"
    }
    function end_file() {
        if (file ~ /\.h$/ && !guarded) print file ": no include guard"
        end_section(n)
        guarded = section = 0
    }
    FNR == 1 && $0 != "/* SPDX-License-Identifier: Apache-2.0 */" { say("not the SPDX line") }
    FNR == 2 && !/^\/\*/ { say("no comment that says what the file contains") }
    length($0) > 100 { say(length($0) " columns (100)") }
    /\t/ { say("a tab") }
    / $/ { say("a space at the end") }
    /^#[ ]*if 0/ { say("dead code") }
    /^#ifndef [A-Z0-9_]*_H$/ { guarded = 1 }
    /^\/\* ---- / { end_section(FNR - 1); section = FNR }
    /^{/ { start = FNR }
    /^}/ && start {
        if (FNR - start > 61) say("the end of a function of " FNR - start - 1 " lines (60)")
        start = 0
    }'
script_rules='
    function end_file() {
        if (!licensed) print file ": no SPDX line"
        end_def()
        licensed = 0
    }
    # A Python function ends where the indentation returns to that of its def.
    function end_def() {
        if (def && last - def > 60)
            print file ":" def ": a function of " last - def " lines (60)"
        def = 0
    }
    FNR == 1 && !/^#!/ && FILENAME !~ /\.(sh|py)$/ { file = ""; nextfile }
    FNR <= 2 && $0 == "# SPDX-License-Identifier: Apache-2.0" { licensed = 1 }
    FILENAME !~ /py$/ && /^[A-Za-z_0-9]+\(\) [{(]$/ { start = FNR }
    FILENAME !~ /py$/ && /^[})]/ && start {
        if (FNR - start > 61) say("the end of a function of " FNR - start - 1 " lines (60)")
        start = 0
    }
    FILENAME ~ /py$/ && NF {
        indent = match($0, /[^ ]/)
        if (def && indent <= margin) end_def()
        if (!def && $1 == "def") { def = FNR; margin = indent }
        last = FNR
    }'
while IFS= read -r message; do
    complain "$message"
done < <(xargs awk "$common$c_rules" <<<"$c_files"; xargs awk "$common$script_rules" <<<"$scripts")

# The top level has only these folders and files, and files that start with a dot.
for entry in *; do
    case $entry in
    CMakeLists.txt | include | src | kernels | tests | tools) ;;
    LICENSE | README.md | build*) ;;
    *) complain "$entry: does not belong on the top level" ;;
    esac
done

# ---- Words --------------------------------------------------------------------------------------

# Words that the project has replaced by established terms (src/README.md). The brackets keep the list
# from matching itself. Not searched: history (the lab book, the old header) and data in English.
words='[l]ender|[l]ends|[l]ent|[s]tands by|[s]tand_by|[i]n runs|[i]n_runs|[s]labs?|[a]format|[w]idens?|[m]ood|'
words+='[t]ruth|[n]ewcomers?|[a]new|[i]n vain|[m]eets'
while IFS= read -r hit; do
    complain "$hit: a word that the project does not use"
done < <(grep -rniIE "(^|[^a-z])($words)([^a-z]|\$)" --exclude-dir=golden --exclude-dir=corpus \
    --exclude-dir=demo-model --exclude-dir=0.2 --exclude=lab-book.md --exclude=synth_vocab.c \
    CMakeLists.txt README.md .github .ci .clang-format include src kernels tests tools | cut -c 1-160)

# ---- -------------------------------------------------------------------------------------------

[ "$n_includes" -gt 0 ] || complain "no #include found: is $repo the repository?"
if [ "$broken" -gt 0 ]; then
    printf '%d broken\n' "$broken"
    exit 1
fi
printf '%d includes; %d C files, %d other files: no rule is broken\n' "$n_includes" \
    "$(wc -l <<<"$c_files")" "$(wc -l <<<"$scripts")"
