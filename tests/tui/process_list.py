"""Processes on GPUs, and those above them, made by hand."""

from __future__ import annotations

from gpu_table import GIB, make_gpu, report
from msgspec.structs import replace
from vramtop.protocol.gpus import GpuProcess, GpusReport

TORCHRUN = GpuProcess(40, user="ana", command="torchrun --nproc-per-node 2 train.py", parent=30)
SHELL = GpuProcess(30, user="ana", command="-bash", parent=20)
LOGIN = GpuProcess(20, user="root", command="sshd", parent=1)
INIT = GpuProcess(1, user="root", command="/sbin/init")


def process(pid: int, memory: int, **values: object) -> GpuProcess:
    """A process that holds so many GiB."""
    usual = GpuProcess(pid, memory * GIB, "ana", f"python train.py --rank {pid}", started=100.0)
    return replace(usual, **values)


def machine() -> GpusReport:
    """Two GPUs: on each a rank below torchrun, and one process of somebody else."""
    first = (
        process(41, 3, parent=40, sm=60, cpu=90.0, seconds=50, inside="observed"),
        process(61, 5, parent=60, user="ben", command="jupyter", sm=1, seconds=900),
    )
    second = (
        process(42, 4, parent=40, sm=70, cpu=95.0, seconds=50, inside="possible"),
        process(70, 1, parent=1, user="root", command="Xorg", type="G", seconds=9000),
    )
    gpus = report(make_gpu(0, *first), make_gpu(1, *second))
    notebook = GpuProcess(60, user="ben", command="jupyter-lab", parent=1)
    return replace(gpus, ancestors=(INIT, LOGIN, SHELL, TORCHRUN, notebook))
