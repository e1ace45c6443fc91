#!/usr/bin/env bash
# A recipe on several nodes of a SLURM cluster: sbatch deploy/slurm.sh RECIPE
# One Ray node a SLURM node; the store lies on a file system that all of them see, but SQLite does not: before the first job, on a
# disk that the run's own node keeps (docs/scale.md), mkdir -p LOCAL/ledger LOCAL/runs; ln -s LOCAL/ledger LOCAL/runs store/
# The job may be cancelled and handed in again: the run goes on, on the node that has that disk (--nodelist). Not run on a SLURM
# cluster; its shell was checked (tests/unit/test_deploy.py).
#SBATCH --job-name=orcamath
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
# B: to what this script becomes in its last line; without it the Ray nodes are interrupted instead
#SBATCH --signal=B:INT@120
set -euo pipefail
recipe=${1:?usage: sbatch slurm.sh RECIPE}
venv=${ORCAMATH_VENV:-$HOME/venv}
[ -f "$HOME/keys.env" ] && { set -a; . "$HOME/keys.env"; set +a; }

# whoever reaches a Ray node's ports can run code there: those of this job ask for this user's token, which lies in a home that all share
"$venv/bin/ray" get-auth-token --generate >/dev/null
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
port=$((20000 + SLURM_JOB_ID % 20000))   # jobs that share a node do not share a cluster
address=$(srun --nodes=1 --ntasks=1 -w "$head" hostname --ip-address | awk '{print $1}'):$port
# a step does not take over --cpus-per-task (SLURM 22.05 and later), and Ray counts a node's, not the job's
has=(--num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="${SLURM_GPUS_ON_NODE:-0}")
step=(srun --ntasks-per-node=1 --cpus-per-task="$SLURM_CPUS_PER_TASK")

"${step[@]}" --nodes=1 --ntasks=1 -w "$head" "$venv/bin/ray" start --head --port="$port" "${has[@]}" --block &
sleep 15
if [ "${#nodes[@]}" -gt 1 ]; then
  others=$(IFS=,; echo "${nodes[*]:1}")
  n=$((${#nodes[@]} - 1))
  "${step[@]}" --nodes="$n" --ntasks="$n" -w "$others" "$venv/bin/ray" start --address="$address" "${has[@]}" --block &
  sleep 15
fi
exec "$venv/bin/orcamath" run "$recipe" --engine ray --address "$address"
