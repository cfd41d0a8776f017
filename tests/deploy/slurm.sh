# SPDX-License-Identifier: Apache-2.0
# Starts a Slurm of its own on this machine, with one node, for the user that runs the test. To be
# sourced; needs $work, a folder.

slurm_pids=()

slurm_stop() {
    local pid
    for pid in "${slurm_pids[@]}"; do
        kill "$pid" 2>/dev/null
    done
    for pid in "${slurm_pids[@]}"; do
        wait "$pid" 2>/dev/null
    done
    slurm_pids=()
}

slurm_config() {
    local user
    user=$(id -un)
    cat <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$slurm/munge.socket
CredType=cred/munge
SlurmctldPort=$1
SlurmdPort=$2
SlurmctldPidFile=$slurm/slurmctld.pid
SlurmdPidFile=$slurm/slurmd.pid
StateSaveLocation=$slurm/state
SlurmdSpoolDir=$slurm/spool
SlurmctldLogFile=$slurm/slurmctld.log
SlurmdLogFile=$slurm/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=5
MinJobAge=300
NodeName=$host NodeAddr=127.0.0.1 Port=$2 CPUs=4 RealMemory=100 State=UNKNOWN
PartitionName=test Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
}

# slurm_start PORT PORT: for the controller and the node. Sets SLURM_CONF.
slurm_start() {
    slurm=$work/slurm
    host=$(hostname -s)
    mkdir -p "$slurm/state" "$slurm/spool"
    chmod 755 "$work" "$slurm"
    export SLURM_CONF=$slurm/slurm.conf
    slurm_config "$1" "$2" >"$SLURM_CONF"
    # Slurm finds the kind of cgroups itself unless they are of the old kind, or there are none.
    [ -e /sys/fs/cgroup/cgroup.controllers ] || echo CgroupPlugin=cgroup/v1 >"$slurm/cgroup.conf"
    (umask 077 && head -c 1024 /dev/urandom >"$slurm/munge.key")
    munged --foreground --force --key-file="$slurm/munge.key" --socket="$slurm/munge.socket" \
        --pid-file="$slurm/munge.pid" --seed-file="$slurm/munge.seed" \
        --log-file="$slurm/munge.log" >"$slurm/munge.out" 2>&1 &
    slurm_pids+=($!)
    slurm_wait test -S "$slurm/munge.socket" || return
    slurmctld -D -i -f "$SLURM_CONF" >"$slurm/ctld.out" 2>&1 &
    slurm_pids+=($!)
    slurmd -D -N "$host" -f "$SLURM_CONF" >"$slurm/d.out" 2>&1 &
    slurm_pids+=($!)
    slurm_wait slurm_is_idle
}

slurm_is_idle() {
    [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ]
}

# slurm_wait COMMAND...: until it succeeds, for at most a minute and a half.
slurm_wait() {
    local i
    for i in $(seq 900); do
        ! "$@" || return 0
        sleep 0.1
    done
    echo "not in time: $*"
    tail -n 5 "$slurm"/*.log "$slurm"/*.out
    return 1
}
