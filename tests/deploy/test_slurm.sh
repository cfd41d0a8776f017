# SPDX-License-Identifier: Apache-2.0
# tools/deploy/slurm-array.sh on a Slurm of this machine: an array, a time limit, scancel.
. "$(dirname "$0")/../cli/common.sh"
export PATH=$PATH:/usr/sbin
for name in slurmctld slurmd munged sbatch; do
    command -v "$name" >/dev/null || { echo "$name is not installed"; exit 77; }
done
. "$(dirname "$0")/slurm.sh"
script=$(cd "$(dirname "$0")/../.." && pwd)/tools/deploy/slurm-array.sh
export LFM2_PROGRAM=$program
trap 'slurm_stop; rm -rf "$work"' EXIT
slurm_start $((20000 + $$ % 20000)) $((40000 + $$ % 20000)) || { report 'Slurm starts' 1; finish; }
cd "$work" || exit 1

for i in $(seq 400); do
    printf '{"custom_id": "%d", "method": "POST", "url": "/v1/completions", "body": ' "$i"
    printf '{"model": "any", "prompt": "The", "max_tokens": 1000, "ignore_eos": true, "n": 8}}\n'
done >"$work/in"
head -n 12 "$work/in" | sed 's/1000/10/' >"$work/short"

# submit OPTION... -- FOLDER INPUT: sets $job.
submit() {
    local options=()
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    job=$(sbatch --parsable --cpus-per-task=1 --mem=0 "${options[@]}" "$script" "$demo" "$3" "$2" \
        --parallel 2)
    report "sbatch ${options[*]}" $?
}
states() {
    scontrol --oneliner show job "$job" | sed -E 's/.*JobState=([A-Z_]+).*/\1/' | sort -u
}
ended() {
    ! states | grep -qE 'PENDING|CONFIGURING|RUNNING|COMPLETING|REQUEUED'
}
is_running() {
    [ "$(states)" = RUNNING ] && [ -s "$1" ]
}

# An array of three jobs answers all lines once.
submit --array=1-3 --time=10 -- "$work/array" "$work/short"
slurm_wait ended
[ "$(states)" = COMPLETED ]
report 'the array is completed' $?
cat "$work/array"/*.jsonl | sed -E 's/.*"custom_id":"([0-9]+)".*/\1/' | sort -n >"$work/ids"
seq 12 | cmp -s - "$work/ids"
report 'all lines are answered once' $?

# The signal before the time limit, which Slurm sends at once if that is a minute away: the job is
# queued again. It then has the same limit, and goes on in this way.
submit --time=1 --signal=B:TERM@60 -- "$work/limit" "$work/in"
restarted() {
    scontrol show job "$job" | grep -qE 'Restarts=[1-9]' &&
        grep -q 'is queued again' "$work/slurm-$job.out"
}
slurm_wait restarted
report 'the job is queued again at its time limit' $?

# A job that is cancelled is not queued again.
scancel "$job"
slurm_wait ended
submit --time=10 -- "$work/cancelled" "$work/in"
slurm_wait is_running "$work/cancelled/0-of-1.jsonl"
scancel --full --signal=TERM "$job"
scancel "$job"
slurm_wait ended
states | grep -q CANCELLED
report 'a cancelled job stays cancelled' $?

finish
