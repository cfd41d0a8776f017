#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The symbols that the built libraries define and use:
#  - The shared library and liblfm2.a define exactly the functions of lfm2.h and lfm2_tools.h, each
#    header in a separate version node. The SONAME contains the version.
#  - The objects call no function that ends the process, prints or reads the environment. Only
#    common/alloc.c allocates memory. Kernels only compute. Results do not depend on libm.
#  - Writable data is thread-local.
#   symbols.sh LIBLFM2.SO LIBLFM2.A OBJECT...      (objects named ...src/MODULE/x.c.o, kernels/...)
set -euo pipefail
export LC_ALL=C
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
shared=$1
archive=$2
shift 2
broken=0

complain() {
    printf '%s\n' "$*"
    broken=$((broken + 1))
}

# declared HEADER: its functions.
declared() {
    sed -e 's://.*::' "$repo/include/$1" | tr '\n' ' ' |
        grep -o 'LFM2_API [^;(]*lfm2_[a-z0-9_]* *(' | grep -o 'lfm2_[a-z0-9_]* *($' |
        tr -d ' (' | sort -u
}
public=$(declared lfm2.h)
tools=$(declared lfm2_tools.h)
all=$(printf '%s\n%s\n' "$public" "$tools" | sort -u)

# compare TITLE DECLARED SYMBOLS
compare() {
    local extra missing
    extra=$(comm -13 <(echo "$2") <(echo "$3"))
    missing=$(comm -23 <(echo "$2") <(echo "$3"))
    [ -z "$extra" ] || complain "$1 exports more than the headers declare:" $extra
    [ -z "$missing" ] || complain "$1 lacks:" $missing
}
version=$(sed -nE 's/^project\(lfm2 VERSION ([0-9]+\.[0-9]+)\..*/\1/p' "$repo/CMakeLists.txt")
exported=$(nm -D --defined-only "$shared" | awk '$2 != "A" { print $3 }')
compare "$(basename "$shared"), node LFM2_$version" "$public" \
    "$(sed -n "s/@@LFM2_$version\$//p" <<<"$exported" | sort -u)"
compare "$(basename "$shared"), node LFM2_TOOLS_$version" "$tools" \
    "$(sed -n "s/@@LFM2_TOOLS_$version\$//p" <<<"$exported" | sort -u)"
compare "$(basename "$shared")" "$all" "$(sed 's/@.*//' <<<"$exported" | sort -u)"
compare "$(basename "$archive")" "$all" "$(nm -g --defined-only "$archive" |
    awk 'NF == 3 { print $3 }' | sort -u)"
soname=$(readelf -d "$shared" | sed -nE 's/.*SONAME.*\[(.*)\]/\1/p')
[ "$soname" = "liblfm2.so.$version" ] || complain "$(basename "$shared") has the SONAME $soname"

# Lines "OBJECT CLASS SYMBOL SECTION" of the objects; names start with src/ or kernels/.
symbols=$(nm -A -f sysv "$@" 2>/dev/null | tr -d ' \t' | awk -F'|' 'NF >= 7 {
    name = $1; sub(/.*:/, "", name)
    object = $1; sub(/:[^:]*$/, "", object); sub(/^.*\.dir\/(\.\/)?/, "", object)
    print object, $3, name, $7 }')
for module in src/common src/load src/text src/model src/run kernels; do
    grep -q "^$module/" <<<"$symbols" || complain "no symbol from $module among the objects"
done

# calls REASON OBJECT-PATTERN NAME-PATTERN: objects must not call these functions.
calls() {
    local object symbol
    while read -r object symbol; do
        complain "$object calls $symbol: $1"
    done < <(awk -v objects="$2" -v names="^($3)$" \
        '$2 == "U" && $1 ~ objects && $3 ~ names { print $1, $3 }' <<<"$symbols")
}
calls 'the library must not end the process' . \
    'abort|exit|_exit|_Exit|quick_exit|atexit|__assert_fail|raise|kill|signal|sigaction'
calls 'the library must not print' . \
    'f?printf|vf?printf|__v?f?printf_chk|puts|putchar|putc|perror|fputs|fputc|stdout|stderr'
calls 'the library must not read the environment' . 'getenv|secure_getenv|setenv|putenv'
# json_number.c calls strtod with numbers without a decimal point.
calls 'results depend on the locale' '^(kernels|src/(api|load|quant|text|model|run|convert)|src/common/[^j])' \
    'setlocale|strtod|strtof|strtold|atof|v?f?scanf|__isoc99_v?s?scanf'
# Functions whose last bit IEEE 754 does not define, under all names of C libraries: real and complex,
# of every type, of -ffast-math (__exp_finite) and of vectors. Implementations of fmin and fmax differ in
# the sign of zeros and in signaling NaN, musl's fmaf in subnormal results.
inexact='a?(sin|cos|tan)h?(pi)?|sincos(pi)?|atan2(pi)?|exp|exp2|exp10|expm1|pow|powi|pown|powr|pow10|log|log2|log10|'
inexact+='log1p|logp1|cbrt|rootn|rsqrt|hypot|erfc?|[lt]?gamma(_r)?|j[01n]|y[01n]|fma|fmin|fmax|fdim|compoundn'
calls 'C libraries differ in its last bit; use common/elementary.h' . \
    "_*(c?($inexact)|c(abs|arg|sqrt))([fl]|f[0-9]+x?)?(_r)?(_finite)?|_ZGV.*"
calls 'not bounded or not thread-safe' . \
    'strcpy|strcat|v?sprintf|__v?sprintf_chk|gets|strtok|rand|srand|random|system|popen|strerror'
calls 'only common/alloc.c allocates memory' '^src/(api|load|quant|text|model|run|convert)' \
    'malloc|calloc|realloc|free|aligned_alloc|posix_memalign|strdup|strndup'
calls 'kernels only compute' '^kernels/' \
    'malloc|calloc|realloc|free|aligned_alloc|posix_memalign|pthread.*|f?open|read|write|mmap|lf_fail.*'

while read -r object symbol; do
    complain "$object has writable data: $symbol"
done < <(awk '$2 ~ /^[bBdDC]$/ && $4 !~ /^\.(tbss|tdata|data\.rel\.ro)/ { print $1, $3 }' <<<"$symbols")

if [ "$broken" -gt 0 ]; then
    printf '%d broken\n' "$broken"
    exit 1
fi
printf '%d functions and no others are exported; %d symbols checked\n' "$(wc -l <<<"$all")" \
    "$(wc -l <<<"$symbols")"
