#!/usr/bin/env bash
# A recipe on several nodes of a SLURM cluster: sbatch deploy/slurm.sh RECIPE
# One Ray node a SLURM node; run folder and store lie on a file system that all of them see. The job may be cancelled and handed
# in again: the run goes on. Not run on a SLURM cluster; its shell was checked (tests/unit/test_deploy.py).
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

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
address=$(srun --nodes=1 --ntasks=1 -w "$head" hostname --ip-address | awk '{print $1}'):6379

srun --nodes=1 --ntasks=1 -w "$head" "$venv/bin/ray" start --head --port=6379 --block &
sleep 15
if [ "${#nodes[@]}" -gt 1 ]; then
  others=$(IFS=,; echo "${nodes[*]:1}")
  srun --nodes=$((${#nodes[@]} - 1)) --ntasks=$((${#nodes[@]} - 1)) -w "$others" "$venv/bin/ray" start --address="$address" --block &
  sleep 15
fi
exec "$venv/bin/orcamath" run "$recipe" --engine ray --address "$address"
