#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Compiles the library with musl's headers, links it with musl and answers a prompt with the demo
# model. The kernels, which call memcpy and memset alone, come from the build, pthreadpool from
# tests/pool, and utf8proc and xxHash from Debian's static libraries. Where the arm64 compiler is
# installed, musl's headers are also tried for arm64.
#   LFM2_REPO   the repository       LFM2_BUILD   the build folder
set -euo pipefail
repo=${LFM2_REPO:?} build=${LFM2_BUILD:?}
system=/usr/lib/x86_64-linux-gnu
kernels=$build/CMakeFiles/lfm2_objects.dir/kernels
cache=$build/CMakeCache.txt

skip() {
    echo "skipped: $1"
    exit 77
}
[ "$(uname -m)" = x86_64 ] || skip 'this machine is not x86-64'
command -v musl-gcc >/dev/null || skip 'musl-gcc is not installed (Debian: musl-tools)'
[ -d "$kernels" ] || skip "$kernels has no objects of kernels"
for file in libxxhash.a libutf8proc.a; do
    [ -e "$system/$file" ] || skip "$system/$file is missing"
done

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
# Headers of the kernel and of the other libraries, after musl's.
deps=$(sed -n 's/^LFM2_PTHREADPOOL_INCLUDE_DIR:PATH=//p' "$cache")
archive=$(sed -n 's/^LFM2_MICROKERNELS_LIBRARY:FILEPATH=//p' "$cache")
flags=(-std=c11 -O0 -Wall -Wextra -Werror -Wno-format-truncation -D_POSIX_C_SOURCE=200809L
    "-I$repo/include" "-I$repo/src" "-I$repo")
headers=(-idirafter "$deps" -idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu)
cd "$repo"

# The program that is linked; the packaged objects were compiled with glibc's checks.
cat >"$work/main.c" <<'END'
#include "lfm2.h"
#include <stdio.h>
#include <string.h>
void *__memcpy_chk(void *to, const void *from, size_t n, size_t room);
void *__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
    return n <= room ? memcpy(to, from, n) : NULL;
}
int main(int argc, char **argv)
{
    lfm2_runtime_options options;
    lfm2_runtime *runtime = NULL;
    lfm2_model *model = NULL;
    lfm2_session *session = NULL;
    lfm2_sampler *sampler = NULL;
    lfm2_generate_options how;
    const int32_t ids[] = {1, 40, 50};
    lfm2_runtime_options_init(&options, sizeof options);
    options.n_threads = 2;
    lfm2_generate_options_init(&how, sizeof how);
    how.max_tokens = 4;
    if (argc != 2 || lfm2_runtime_create(&options, &runtime) != LFM2_OK ||
        lfm2_model_load(runtime, argv[1], NULL, &model) != LFM2_OK ||
        lfm2_session_create(model, NULL, &session) != LFM2_OK ||
        lfm2_sampler_create(model, NULL, &sampler) != LFM2_OK ||
        lfm2_generate(session, sampler, ids, 3, &how, NULL) != LFM2_OK) {
        fprintf(stderr, "%s\n", lfm2_last_error());
        return 1;
    }
    lfm2_sampler_free(sampler);
    lfm2_session_free(session);
    lfm2_model_free(model);
    if (lfm2_model_load(runtime, "/no/such/file", NULL, &model) == LFM2_OK ||
        strstr(lfm2_last_error(), "No such file or directory") == NULL) {
        fprintf(stderr, "not the text of errno: %s\n", lfm2_last_error());
        return 1;
    }
    lfm2_runtime_free(runtime);
    return 0;
}
END

compile() { # COMPILER-AND-OPTIONS...
    find src -name '*.c' | xargs -P "$(nproc)" -I '{}' sh -c \
        'out=$1/$(printf %s "$2" | tr / _).o; shift 2; exec "$@" -o "$out"' \
        sh "$work" '{}' "$@" -c '{}'
}
compile musl-gcc "${flags[@]}" "${headers[@]}"
musl-gcc "${flags[@]}" "${headers[@]}" -Wno-error -c tests/pool/pthreadpool.c -o "$work/pool.o"
musl-gcc -static "${flags[@]}" "${headers[@]}" "$work/main.c" "$work"/*.o \
    $(find "$kernels" -name '*.o') "$archive" "$system/libxxhash.a" "$system/libutf8proc.a" -lm \
    -o "$work/program"
"$work/program" "${LFM2_DEMO_MODEL:?}"
echo 'linked with musl and run'

if command -v aarch64-linux-gnu-gcc >/dev/null; then
    compile aarch64-linux-gnu-gcc "${flags[@]}" -fsyntax-only -nostdinc \
        -isystem "$(aarch64-linux-gnu-gcc -print-file-name=include)" \
        -isystem /usr/include/x86_64-linux-musl -idirafter "$deps" -idirafter /usr/include \
        -idirafter /usr/aarch64-linux-gnu/include
    echo 'compiled for arm64 with the headers of musl'
fi
