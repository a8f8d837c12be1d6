"""Processes that share a machine's memory through one file, and may die at any moment."""

from __future__ import annotations

import pynvml
import pytest
from simulation import CONTEXT, DRIVER_RESERVED, GIB, MIB

TAKE_ALL = """
import ctypes, sys
runtime, pointer = ctypes.CDLL("libsimcuda.so"), ctypes.c_void_p()
taken = 0
print("ready", flush=True)
sys.stdin.readline()
while runtime.cudaMalloc(ctypes.byref(pointer), ctypes.c_size_t(1 << 20)) == 0:
    taken += 1
print(taken, flush=True)
sys.stdin.read()
"""

TAKE_THE_LAST_PIECE = """
import ctypes, os, sys
runtime, pointer = ctypes.CDLL("libsimcuda.so"), ctypes.c_void_p()
runtime.cudaSetDevice(0)
piece, mark = ctypes.c_size_t(PIECE), os.environ["SIMGPU_STATE"] + ".held"
times = 0
print("ready", flush=True)
sys.stdin.readline()
for _ in range(3000):
    if runtime.cudaMalloc(ctypes.byref(pointer), piece) == 0:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))  # fails if another one holds it as well
        os.unlink(mark)
        assert runtime.cudaFree(pointer) == 0
        times += 1
print(times, flush=True)
sys.stdin.read()
"""

MANY_ALLOCATIONS = """
import ctypes
runtime, pointer = ctypes.CDLL("libsimcuda.so"), ctypes.c_void_p()
pointers = []
for _ in range(5000):
    assert runtime.cudaMalloc(ctypes.byref(pointer), ctypes.c_size_t(4096)) == 0
    pointers.append(pointer.value)
free, total = ctypes.c_size_t(), ctypes.c_size_t()
runtime.cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total))
held = total.value - free.value
for address in reversed(pointers):
    assert runtime.cudaFree(ctypes.c_void_p(address)) == 0
runtime.cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total))
print(held - (total.value - free.value), runtime.cudaFree(ctypes.c_void_p(pointers[0])))
"""

DIE_WITH_THE_LOCK = """
import ctypes, mmap, os, signal
runtime = ctypes.CDLL("libsimcuda.so")
runtime.cudaSetDevice(0)
with open(os.environ["SIMGPU_STATE"], "r+b") as file:
    state = mmap.mmap(file.fileno(), 0)
lock = ctypes.addressof(ctypes.c_char.from_buffer(state)) + ctypes.sizeof(ctypes.c_size_t)
assert ctypes.CDLL(None).pthread_mutex_lock(ctypes.c_void_p(lock)) == 0
os.kill(os.getpid(), signal.SIGKILL)
"""


FREE_BYTES = """
import ctypes
runtime, free, total = ctypes.CDLL("libsimcuda.so"), ctypes.c_size_t(), ctypes.c_size_t()
runtime.cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total))
print(free.value)
"""


def together(simgpu, script, machine, count):
    """`count` processes that were let go at the same moment, and the line that each printed."""
    processes = [simgpu.start(script, machine) for _ in range(count)]
    for process in processes:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    return processes, [process.stdout.readline().strip() for process in processes]


def end(processes):
    for process in processes:
        with process:
            process.kill()


@pytest.fixture
def memory(simgpu):
    def of(machine, device=0):
        with simgpu.nvml(machine):
            pynvml.nvmlInit()
            handle = pynvml.nvmlDeviceGetHandleByIndex(device)
            return pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2)

    return of


def test_processes_that_race_for_a_device_take_all_of_it_and_no_byte_more(simgpu, memory):
    machine = simgpu.environment(total=3 * GIB)
    processes, taken = together(simgpu, TAKE_ALL, machine, 3)
    try:
        room = 3 * GIB - DRIVER_RESERVED - 3 * CONTEXT
        assert sum(map(int, taken)) == room // MIB
        assert memory(machine).free == room % MIB
    finally:
        end(processes)
    assert memory(machine).used == 0


def test_two_processes_never_hold_the_same_memory(simgpu, memory):
    piece = 100 * MIB
    machine = simgpu.environment(total=DRIVER_RESERVED + 2 * CONTEXT + piece)
    script = TAKE_THE_LAST_PIECE.replace("PIECE", str(piece))
    processes, times = together(simgpu, script, machine, 2)
    try:
        assert all(times), processes[times.index("")].stderr.read()
        assert memory(machine).used == 2 * CONTEXT
    finally:
        end(processes)


def test_a_process_may_hold_thousands_of_allocations(simgpu):
    invalid_value = 1
    said = simgpu.run(MANY_ALLOCATIONS, simgpu.environment())
    assert said == f"{5000 * 4096} {invalid_value}\n"


def test_a_process_that_dies_with_the_lock_leaves_it_to_the_next(simgpu):
    machine = simgpu.environment()
    with simgpu.start(DIE_WITH_THE_LOCK, machine) as process:
        process.wait(timeout=10)
        assert process.returncode == -9, process.stderr.read()
    assert int(simgpu.run(FREE_BYTES, machine)) == 8 * GIB - DRIVER_RESERVED - CONTEXT


def test_memory_of_other_processes_is_taken_from_the_device(simgpu, memory):
    machine = simgpu.environment(others=f"1:0:{GIB},2:0:{GIB}:G,3:1:n")
    assert memory(machine).used == 2 * GIB
    assert memory(machine, device=1).used == 0
