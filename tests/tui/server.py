"""A server of four GPUs that several people share, with the last ten minutes, for pictures."""

from __future__ import annotations

from gpu_table import GIB, make_gpu, report
from msgspec.structs import replace
from vramtop.protocol.gpus import Gpu, GpuProcess, Host
from vramtop.tui.state.gpu_history import GpuHistory, GpuPast

_SECONDS = 500
_LATER = 10**9  # the monitor's own clock does not reach it, so that it adds nothing
_TRAIN = "/home/ana/venv/bin/python -u train.py --config configs/llama.yaml --lr 3e-4 --seed 1"


def _rank(rank: int, used: float) -> GpuProcess:
    return GpuProcess(
        4711 + rank, int(used * GIB), "ana", _TRAIN, type="C", sm=92 - 3 * rank, cpu=102.0 - rank,
        resident=int(8.8 * GIB), started=1.0, seconds=11_524, parent=4700,
        inside="possible" if rank else "observed",
    )  # fmt: skip


_NOTEBOOK = GpuProcess(
    988, 420 * 2**20, "ben", "/opt/jupyter/bin/python -m ipykernel_launcher -f kernel-7f3a.json",
    type="C", sm=0, cpu=0.3, resident=717 * 2**20, started=1.0, seconds=34_811, parent=977,
    inside="impossible", obstacle="another user's",
)  # fmt: skip
_DISPLAY = GpuProcess(
    1412, 102 * 2**20, "root", "/usr/lib/xorg/Xorg :0", type="G", sm=0, cpu=1.0,
    resident=102 * 2**20, started=1.0, seconds=9_000_000, parent=1,
    inside="impossible", obstacle="no PyTorch in it",
)  # fmt: skip
_SERVING = tuple(
    GpuProcess(
        5000 + slot, (slot + 2) * GIB, "eva", f"/srv/bin/python serve.py --port {8000 + slot}",
        type="C", cpu=12.0, resident=3 * GIB, started=1.0, seconds=400_000, parent=1,
        inside="impossible", obstacle="another user's",
    )
    for slot in range(3)
)  # fmt: skip
_INSTANCES = tuple(
    Gpu(
        slot, f"MIG-{slot}", "NVIDIA H200 MIG 1g.18gb", 18 * GIB, 0, (slot + 2) * GIB,
        (16 - slot) * GIB, processes=(process,),
    )
    for slot, process in enumerate(_SERVING)
)  # fmt: skip
_TORCHRUN = GpuProcess(
    4700, None, "ana", "/home/ana/venv/bin/torchrun --nproc-per-node 2 train.py", cpu=0.1,
    resident=250 * 2**20, started=1.0, seconds=11_530, parent=900,
)  # fmt: skip
_JUPYTER = GpuProcess(
    977, None, "ben", "/opt/jupyter/bin/jupyter-lab", cpu=0.0, resident=180 * 2**20, started=1.0,
    seconds=99_999, parent=1,
)  # fmt: skip
_NAMED = {"name": "NVIDIA H200", "slowdown_at": 90, "memory_utilization": 41}
SERVER = replace(
    report(
        make_gpu(0, _rank(0, 61.2), gpu_utilization=97, temperature=71, power=612.0, **_NAMED),
        make_gpu(
            1, _rank(1, 60.8), gpu_utilization=95, power=398.0,
            **{**_NAMED, "temperature": 91, "throttled": ("hardware slowdown",)},
        ),
        make_gpu(2, _NOTEBOOK, _DISPLAY, gpu_utilization=0, temperature=34, power=118.0, **_NAMED),
        make_gpu(
            3, *_SERVING, gpu_utilization=None, temperature=48, power=301.0, mig=True,
            instances=_INSTANCES, **_NAMED,
        ),
    ),
    ancestors=(_TORCHRUN, _JUPYTER),
    host=Host(64, 11.0, (7.2, 6.9, 6.5), 512 * GIB, 141 * GIB, 0, 0),
)  # fmt: skip


def _load(gpu: int, second: int) -> int | None:
    """Steps with an evaluation between them; the notebook computes once; of MIG nobody knows."""
    if gpu == 3:
        return None
    if gpu == 2:
        return 60 if 200 <= second < 230 else 0
    return 12 if second % 170 in range(60, 75) else 93 + (second * 7 + gpu) % 6


def _memory(gpu: int, second: int) -> float:
    if gpu < 2:
        return 3.0 if second < 30 else 71.0 + 6 * (second % 170 in range(60, 75))
    return 1.9 if gpu == 2 else 12.5


# A past of one GPU that was never known.
UNKNOWN = GpuHistory((_LATER,), (GpuPast((None,), (None,)),), _LATER)
PAST = GpuHistory(
    tuple(range(_LATER, _LATER + _SECONDS)),
    tuple(
        GpuPast(
            tuple(_load(gpu, second) for second in range(_SECONDS)),
            tuple(_memory(gpu, second) for second in range(_SECONDS)),
        )
        for gpu in range(4)
    ),
    _LATER,
)
