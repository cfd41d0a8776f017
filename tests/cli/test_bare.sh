#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Without /proc and /sys, the instruction sets and the answer are the same, and nothing is printed
# about it unless -v asks. Needs permission to create a mount namespace.
# shellcheck source=tests/cli/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# bare COMMAND...: runs it with both folders empty.
bare() {
    # shellcheck disable=SC2016
    unshare -m sh -c 'mount -t tmpfs none /sys && mount -t tmpfs none /proc && exec "$@"' sh "$@"
}

if [ -n "${LFM2_SANITIZED:-}" ] || ! bare true 2>/dev/null; then
    echo "skipped: cannot create a mount namespace, or a sanitizer needs /proc"
    exit 77
fi

# sets COMMAND...: the instruction sets that the program reports, in $REPLY.
sets() {
    "$@" "$program" run -v --temp 0 -n 5 -p Hello >"$work/out" 2>"$work/err"
    report "run under $1 exits with 0" $?
    REPLY=$(sed -n 's/.*instruction sets: *//p' "$work/err")
}

sets env
with=$REPLY
mv "$work/out" "$work/with"
sets bare
without=$REPLY
[ -n "$with" ]
report "instruction sets are reported" $?
[ "$with" = "$without" ]
report "the same instruction sets without /proc: '$without', not '$with'" $?
cmp -s "$work/with" "$work/out"
report "the same answer without /proc" $?
err_has "/sys does not say which processors share a core"
err_has "/proc does not name the control group of this process"
! grep -v '^lfm2: ' "$work/err"
report "only the program writes to standard error" $?
bare "$program" run --temp 0 --ignore-eos -n 5 -p Hello >"$work/out" 2>"$work/err"
report "run without -v exits with 0" $?
! grep -qE '/sys|/proc' "$work/err"
report "without -v nothing is said about /sys and /proc" $?

finish
