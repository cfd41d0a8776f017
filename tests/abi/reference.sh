#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Compares the ABI with the committed reference: lfm2.abi has every function of lfm2.h, the types that
# these use, sizes and offsets of members; constants.txt has the values of enumerators and macros. Every
# difference fails, including additions. If a change is intended, update the reference in the same commit:
#   tests/abi/reference.sh LIBRARY-WITH-DEBUG-INFORMATION C-COMPILER [--update]
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
library=$1
cc=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ "$(uname -m)" != x86_64 ]; then
    echo "the reference describes x86-64: skipped"
    exit 77
fi
command -v abidw >/dev/null || { echo "abidw is missing: tools/setup --tests installs it"; exit 1; }

# Only lfm2.h: lfm2_tools.h has no stable ABI, and the structs behind handles are private.
mkdir "$work/include"
cp "$here/../../include/lfm2.h" "$work/include"
flat=$(sed -e 's://.*::' "$work/include/lfm2.h" | tr '\n' ' ' |
    sed -e 's:/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/: :g')
{
    echo '[abi_whitelist]'
    grep -o 'LFM2_API [^;(]*lfm2_[a-z0-9_]* *(' <<<"$flat" | grep -o 'lfm2_[a-z0-9_]* *($' |
        tr -d ' (' | sort -u | sed 's/^/  /'
} >"$work/functions"
abidw --headers-dir "$work/include" --drop-private-types --exported-interfaces-only \
    --kmi-whitelist "$work/functions" --no-elf-needed --no-corpus-path --no-comp-dir-path \
    --no-show-locs --type-id-style hash --out-file "$work/lfm2.abi" "$library"
# Names of source files without the folder of the build.
sed -i -e 's/ *$//' -e "s:path='[^']*/src/:path='src/:" "$work/lfm2.abi"

# Enumerators and numeric macros, which the types of functions do not contain.
{
    printf '#include "lfm2.h"\n#include <stdio.h>\nint main(void)\n{\n'
    { grep -o 'LFM2_[A-Z0-9_]* *=' <<<"$flat" | tr -d ' =' &&
        sed -nE 's/^#define (LFM2_[A-Z0-9_]+) [0-9]+$/\1/p' "$work/include/lfm2.h"; } | grep -v LFM2_VERSION_ | sort -u |
        sed 's/.*/    printf("& %lld\\n", (long long)&);/'
    printf '    return 0;\n}\n'
} >"$work/constants.c"
"$cc" -I"$work/include" "$work/constants.c" -o "$work/constants"
"$work/constants" >"$work/constants.txt"

functions=$(grep -c '<elf-symbol ' "$work/lfm2.abi")
structs=$(grep -c '<class-decl .*size-in-bits' "$work/lfm2.abi")
constants=$(wc -l <"$work/constants.txt")
if [ "$functions" -lt 40 ] || [ "$structs" -lt 10 ] || [ "$constants" -lt 50 ]; then
    echo "only $functions functions, $structs structs and $constants constants were found"
    exit 1
fi
if [ "${3:-}" = --update ]; then
    cp "$work/lfm2.abi" "$work/constants.txt" "$here"
    echo "written: $functions functions, $structs structs, $constants constants"
    exit 0
fi
same=yes
abidiff "$here/lfm2.abi" "$work/lfm2.abi" || same=no
diff -u "$here/constants.txt" "$work/constants.txt" || same=no
if [ $same = no ]; then
    echo "The ABI differs from the reference in tests/abi. If that is intended: tests/abi/README.md"
    exit 1
fi
echo "$functions functions, $structs structs and $constants constants as in the reference"
