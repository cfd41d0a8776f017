# SPDX-License-Identifier: Apache-2.0
# The accuracy of the demo model on every tenth held-out prompt (all skills), or on every hundredth with
# a sanitizer. Results do not depend on the machine.
. "$(dirname "$0")/common.sh"

every=10
least=93
if [ -n "${LFM2_SANITIZED:-}" ]; then
    every=100
fi
awk -v every="$every" 'NR % every == 0' "${demo%/*}/heldout.jsonl" >"$work/prompts"
exits 0 eval "$work/prompts" -m "$demo" --min "$least"
tail -n 1 "$work/out"

finish
