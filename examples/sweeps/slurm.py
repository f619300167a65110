"""Start a dask cluster on SLURM for `reversal sweep --cluster`, and print the address of its scheduler.

    python slurm.py 100 &                 # 100 workers; on a login node, inside tmux or as a small job of its own
    reversal sweep SPEC.toml -o DIR --cluster tcp://ADDRESS

It runs until it is interrupted; then the workers end. Needs the extra [cluster], here and on the nodes.
"""

import sys
import time

from dask_jobqueue import SLURMCluster


def slurm_cluster() -> SLURMCluster:
    """One worker a job, one thread each, as `reversal sweep` asks for; fit memory, time and queue to your cells."""
    return SLURMCluster(
        cores=1,
        processes=1,
        memory="4GB",
        walltime="04:00:00",
        # queue="normal", account="...", interface="ib0",
        scheduler_options={"dashboard": False},
    )


def main() -> None:
    """Ask SLURM for the workers and wait."""
    with slurm_cluster() as cluster:
        cluster.scale(jobs=int(sys.argv[1]))
        print(cluster.scheduler_address, flush=True)
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main()
