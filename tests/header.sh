#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each public header compiles without other headers of the project and without warnings as C11, C17,
# C++11, C++17 and C++20; its structs have no padding.
#   header.sh [C-COMPILER]
set -euo pipefail
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cc=${1:-cc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wundef -Wconversion -Werror)
for header in lfm2.h lfm2_tools.h; do
    printf '#include "%s"\n#include "%s"\nextern int x;\nint x;\n' "$header" "$header" >"$work/alone.c"
    cp "$work/alone.c" "$work/alone.cpp"
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
    # A field that a later version adds must not be in padding, which callers of this version do not clear.
    "$cc" -std=c11 -Wpadded -Werror -I"$repo/include" -fsyntax-only "$work/alone.c"
done

# Every function is exported.
count=0
for header in lfm2.h lfm2_tools.h; do
    flat=$(sed -e 's://.*::' "$repo/include/$header" | tr '\n' ' ' |
        sed -e 's:/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/: :g')
    functions=$(grep -o 'lfm2_[a-z0-9_]* *([^;{]*) *;' <<<"$flat" | sed 's/ *(.*//' | sort -u)
    exported=$(grep -o 'LFM2_API [^;(]*lfm2_[a-z0-9_]* *(' <<<"$flat" |
        grep -o 'lfm2_[a-z0-9_]* *($' | tr -d ' (' | sort -u)
    if [ "$functions" != "$exported" ]; then
        echo "functions of $header without LFM2_API:"
        comm -23 <(echo "$functions") <(echo "$exported")
        exit 1
    fi
    [ -n "$exported" ] || { echo "no function found in $header"; exit 1; }
    count=$((count + $(wc -l <<<"$exported")))
done
echo "$count functions; each header compiles without others"
