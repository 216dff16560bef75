#!/bin/sh
# 64 shards as an array: sbatch slurm.sh /images results
#SBATCH --job-name=xenstream-verify
#SBATCH --array=1-64%16
#SBATCH --cpus-per-task=2
#SBATCH --mem=256M
#SBATCH --requeue
images=$1
results=$2
shard=${SLURM_ARRAY_TASK_ID:?run this with sbatch}
count=${SLURM_ARRAY_TASK_COUNT:?run this with sbatch}
mkdir -p "$results"
# The file of a shard appears when it is complete; doing a shard again replaces it.
"${XENSTREAM:-xenstream}" verify --json --shard "$shard/$count" "$images" > "$results/.$shard.part"
status=$?
mv "$results/.$shard.part" "$results/$shard.jsonl"
# Invalid images (1) and unjudged ones (3) are results.
[ "$status" -ne 2 ]
