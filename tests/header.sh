#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lfm2.h alone, and nothing else of ours, compiles as C11, C17, C++11 and C++17 without a warning.
#   header.sh [C-COMPILER]
set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cc=${1:-cc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

printf '#include "lfm2.h"\n#include "lfm2.h"\nextern int x;\nint x;\n' >"$work/alone.c"
cp "$work/alone.c" "$work/alone.cpp"
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wundef -Wconversion -Werror)
for standard in c11 c17; do
    "$cc" -std=$standard "${warnings[@]}" -Wstrict-prototypes -I"$repo/include" -fsyntax-only \
        "$work/alone.c"
done
for cxx in g++ clang++; do
    if command -v "$cxx" >/dev/null; then
        for standard in c++11 c++17 c++20; do
            "$cxx" -std=$standard "${warnings[@]}" -Wold-style-cast -I"$repo/include" \
                -fsyntax-only "$work/alone.cpp"
        done
    fi
done

# Nothing but scalars and pointers by value; every function is exported.
flat=$(sed -e 's://.*::' "$repo/include/lfm2.h" | tr '\n' ' ' | sed -e 's:/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/: :g')
functions=$(grep -o 'lfm2_[a-z0-9_]* *([^;{]*) *;' <<<"$flat" | sed 's/ *(.*//' | sort -u)
exported=$(grep -o 'LFM2_API [^;(]*lfm2_[a-z0-9_]* *(' <<<"$flat" | grep -o 'lfm2_[a-z0-9_]* *($' |
    tr -d ' (' | sort -u)
if [ "$functions" != "$exported" ]; then
    echo "functions of lfm2.h without LFM2_API:"
    comm -23 <(echo "$functions") <(echo "$exported")
    exit 1
fi
[ -n "$exported" ] || { echo "no function found in lfm2.h"; exit 1; }
echo "$(wc -l <<<"$exported") functions; the header stands alone"
