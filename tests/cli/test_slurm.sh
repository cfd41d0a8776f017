# SPDX-License-Identifier: Apache-2.0
# tools/deploy/slurm-array.sh with the variables and signals of Slurm, and without Slurm: which part of
# the input each job takes, and what it does at its time limit. Stubs replace squeue and scontrol.
. "$(dirname "$0")/common.sh"
script=$(cd "$(dirname "$0")/../.." && pwd)/tools/deploy/slurm-array.sh
export LFM2_PROGRAM=$program

mkdir "$work/bin"
cat >"$work/bin/squeue" <<'EOF2'
#!/bin/sh
echo "$STATE"
EOF2
cat >"$work/bin/scontrol" <<EOF2
#!/bin/sh
echo "\$*" >>"$work/requeued"
[ -z "\${REFUSED:-}" ]
EOF2
chmod +x "$work/bin"/*
export PATH=$work/bin:$PATH STATE=RUNNING

request() { # ID TOKENS
    printf '{"custom_id": "%s", "method": "POST", "url": "/v1/completions", "body": ' "$1"
    printf '{"model": "any", "prompt": "The", "max_tokens": %d, "ignore_eos": true}}\n' "$2"
}
for i in $(seq 10); do
    request "$i" 4
done >"$work/in"

# job CODE ID MIN STEP COUNT: one job of an array.
job() {
    SLURM_JOB_ID=77 SLURM_ARRAY_TASK_ID=$2 SLURM_ARRAY_TASK_MIN=$3 SLURM_ARRAY_TASK_STEP=$4 \
        SLURM_ARRAY_TASK_COUNT=$5 SLURM_CPUS_PER_TASK=1 \
        bash "$script" "$demo" "$work/in" "$work/out-folder" >"$work/out" 2>"$work/err"
    verdict "$1" $? "task $2 of the array"
}
for id in 4 6 8; do
    job 0 "$id" 4 2 3
done
[ "$(ls "$work/out-folder" | tr '\n' ' ')" = '0-of-3.jsonl 1-of-3.jsonl 2-of-3.jsonl ' ]
report 'each job writes a file' $?
cat "$work/out-folder"/* | sed -E 's/.*"custom_id":"([0-9]+)".*/\1/' | sort -n >"$work/ids"
seq 10 | cmp -s - "$work/ids"
report 'all lines are answered once' $?
job 0 6 4 2 3
err_has '0 lines answered'
job 2 9 1 1 3
err_has 'must be a range'
# without an array; another option; wrong use
rm -r "$work/out-folder"
bash "$script" "$demo" "$work/in" "$work/out-folder" --ordered -t 1 >"$work/out" 2>"$work/err"
verdict 0 $? 'a job without an array'
[ "$(wc -l <"$work/out-folder/0-of-1.jsonl")" -eq 10 ]
report 'it answers all lines' $?
bash "$script" "$demo" >"$work/out" 2>"$work/err"
verdict 2 $? 'a job without input'
# a line that fails
request '' 1 >>"$work/in"
rm -r "$work/out-folder"
job 3 0 0 1 1

# The time limit: Slurm sends SIGTERM to the script alone. The job is queued again, and continues.
for i in $(seq 24); do
    request "$i" 150
done >"$work/in"
limit() { # CODE: of the script
    rm -rf "$work/out-folder" "$work/requeued"
    SLURM_JOB_ID=77 bash "$script" "$demo" "$work/in" "$work/out-folder" --parallel 2 -t 1 \
        >"$work/out" 2>"$work/err" &
    pid=$!
    for i in $(seq 1200); do
        [ ! -s "$work/out-folder/0-of-1.jsonl" ] || break
        sleep 0.05
    done
    kill -TERM "$pid"
    wait "$pid"
    verdict "$1" $? 'a job at its time limit'
    err_has 'the same command continues'
}
limit 0
out_has 'job 77 is queued again'
grep -qx 'requeue 77' "$work/requeued"
report 'scontrol requeues the job' $?
SLURM_JOB_ID=77 bash "$script" "$demo" "$work/in" "$work/out-folder" -t 1 >"$work/out" 2>"$work/err"
verdict 0 $? 'the job that was queued again'
[ "$(sed -E 's/.*"custom_id":"([0-9]+)".*/\1/' "$work/out-folder/0-of-1.jsonl" | sort -u | wc -l)" -eq 24 ]
report 'it answers the other lines' $?
# where Slurm refuses, and after scancel
REFUSED=1 limit 75
STATE=COMPLETING limit 75
[ ! -e "$work/requeued" ]
report 'a cancelled job is not queued again' $?

finish
