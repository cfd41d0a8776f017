#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Answers a batch with an array of Slurm jobs. Each job answers its part of the lines and writes a file
# of its own; a job that ends at its time limit, or with its node, is queued again and continues.
#
#   sbatch --array=1-8 slurm-array.sh MODEL IN.jsonl OUT-FOLDER [OPTION OF lfm2 batch]...
#   cat OUT-FOLDER/*.jsonl >OUT.jsonl
#
# The folder must be one that all nodes share. To continue what failed, submit the same line again.
#SBATCH --job-name=lfm2-batch
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
# To this script alone (B), a minute before the time limit.
#SBATCH --signal=B:TERM@60
set -uo pipefail

[ $# -ge 3 ] || { echo "usage: slurm-array.sh MODEL IN.jsonl OUT-FOLDER [OPTION]..." >&2; exit 2; }
model=$1
input=$2
folder=$3
shift 3
program=${LFM2_PROGRAM:-lfm2}
count=${SLURM_ARRAY_TASK_COUNT:-1}
# The place of this job in the array, from 0: --array=1-8 and --array=0-14:2 have eight places each.
place=$(((${SLURM_ARRAY_TASK_ID:-0} - ${SLURM_ARRAY_TASK_MIN:-0}) / ${SLURM_ARRAY_TASK_STEP:-1}))
if [ "$place" -ge "$count" ]; then
    echo "slurm-array.sh: --array must be a range, without gaps" >&2
    exit 2
fi

# Exit code 75: ended by SIGTERM, and the same command continues. A job that still runs is at its time
# limit and is queued again; one that scancel ends, or Slurm itself queues again, is not.
continue_later() {
    local state
    state=$(squeue --noheader --format=%T --jobs="${SLURM_JOB_ID:-}" 2>/dev/null)
    if [ "$state" = RUNNING ] && scontrol requeue "$SLURM_JOB_ID"; then
        echo "slurm-array.sh: job $SLURM_JOB_ID is queued again"
        exit 0
    fi
    exit 75
}

mkdir -p "$folder" || exit 1
# The program runs in the background, because bash handles a signal only when no command runs in the
# foreground. --grace ends within the minute that --signal leaves.
child=''
signaled=''
pass_on() {
    signaled=$1
    [ -z "$child" ] || kill "-$1" "$child" 2>/dev/null
}
trap 'pass_on TERM' TERM
trap 'pass_on INT' INT
"$program" batch --model "$model" --shard "$place/$count" --grace 40 \
    --threads "${SLURM_CPUS_PER_TASK:-0}" "$@" "$input" "$folder/$place-of-$count.jsonl" &
child=$!
[ -z "$signaled" ] || pass_on "$signaled"
# A signal ends `wait` too; the next one returns the code of the program.
signaled=again
code=1
while [ -n "$signaled" ]; do
    signaled=''
    wait "$child"
    ended=$?
    # 127: the code was already returned, and then there was a signal.
    [ "$ended" -eq 127 ] || code=$ended
done
[ "$code" -ne 75 ] || continue_later
exit "$code"
