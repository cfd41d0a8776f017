# SPDX-License-Identifier: Apache-2.0
# tools/check: how it counts the results of the stages. Stubs replace cmake and ctest.
. "$(dirname "$0")/common.sh"
repo=$work/repo
mkdir -p "$repo" "$work/bin"
cp -R "$(dirname "$0")/../../tools" "$repo/"

stub() { # NAME; standard input: the body of the script
    { printf '#!/bin/sh\necho "%s $*" >>"%s/asked"\n' "$1" "$work"; cat; } >"$work/bin/$1"
    chmod +x "$work/bin/$1"
}

# checks CODE ARGUMENT...
checks() {
    local wanted=$1
    shift
    rm -f "$work/asked"
    PATH=$work/bin:$PATH LFM2_SKIP_SETUP=1 LFM2_DEPS=$work/none "$repo/tools/check" "$@" \
        >"$work/out" 2>"$work/err" </dev/null
    verdict "$wanted" $? "tools/check $*"
}
last_line_is() {
    [ "$(tail -n 1 "$work/out")" = "$1" ] || { tail -n 1 "$work/out"; false; }
    report "the last line is: $1" $?
}
asked() {
    grep -qE -- "$1" "$work/asked"
    report "asked: $1" $?
}

for wrong in --bogus nonsense 'gcc nonsense'; do
    # shellcheck disable=SC2086
    checks 2 $wrong
    err_has 'usage: tools/check [--full] [--quick | gcc|asan'
done

# ctest's output: one test passed, with one skipped case; one test skipped.
stub cmake </dev/null
stub ctest <<'EOF'
folder=$2
mkdir -p "$folder/Testing/Temporary"
cat >"$folder/Testing/Temporary/LastTest.log" <<'END'
1/2 Testing: kernels.gemm
1/2 Test: kernels.gemm
[ RUN      ] equals scalar: amx
[  SKIPPED ] equals scalar: amx
[  PASSED  ] 3 test(s).
[  SKIPPED ] tests: 1 test(s), listed below:
[  SKIPPED ] equals scalar: amx
END
cat <<'END'
1/2 Test #1: kernels.gemm ...........   Passed    1.00 sec
2/2 Test #2: abi.reference ..........***Skipped   0.00 sec

100% tests passed, 0 tests failed out of 2

The following tests did not run:
	  2 - abi.reference (Skipped)
END
EOF
checks 0 --quick
last_line_is '1 passed, 0 failed, 2 skipped'
out_has 'skipped in kernels.gemm: equals scalar: amx'
out_has 's   built in '
out_has '1 passed, 0 failed; 2 skipped'
asked 'cmake .*-DCMAKE_C_COMPILER=gcc -DLFM2_WERROR=ON'
asked '-DLFM2_TEST_FULL=OFF'
checks 0 --full asan tsan
last_line_is '2 passed, 0 failed, 4 skipped'
asked '-DLFM2_TEST_FULL=ON'
asked 'ctest .*build-check-tsan.* -L threads'
checks 0 arm64
last_line_is '0 passed, 0 failed, 1 skipped'

stub ctest <<'EOF'
mkdir -p "$2/Testing/Temporary"
: >"$2/Testing/Temporary/LastTest.log"
echo '67% tests passed, 1 tests failed out of 3'
EOF
checks 1 gcc clang
last_line_is '4 passed, 2 failed'

stub ctest <<'EOF'
echo 'No tests were found!!!'
EOF
checks 1 gcc
last_line_is '0 passed, 1 failed'
out_has 'no test ran'

stub cmake <<'EOF'
echo 'c1: fatal error: x.o: No space left on device'
exit 1
EOF
checks 1 gcc asan
last_line_is '0 passed, 2 failed'
out_has 'the build failed'
out_has 'gcc: the disk is full'
finish
