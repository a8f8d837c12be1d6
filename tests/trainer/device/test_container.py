"""The memory limit of a container, read from folders made like those of the kernel."""

from __future__ import annotations

from pathlib import Path

import pytest
from vramtop.trainer.device.container import Allowance, allowance

V2 = "30 23 0:26 {top} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
V1 = "35 31 0:32 {top} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
OTHER = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
UNLIMITED = 9223372036854771712


def machine(root: Path, cgroup: str, mountinfo: str, files: dict[str, object]) -> Path:
    for name, text in {
        "proc/self/cgroup": cgroup,
        "proc/self/mountinfo": mountinfo,
        **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
    }.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    return root


def test_without_a_limit_there_is_no_allowance(tmp_path: Path) -> None:
    assert allowance(tmp_path) is None  # no cgroups at all
    files = {"a/memory.max": "max", "a/memory.current": 5}
    assert allowance(machine(tmp_path, "0::/a", V2.format(top="/"), files)) is None


def test_version_2_follows_each_cgroup_up_to_the_root(tmp_path: Path) -> None:
    files = {
        "a/memory.max": 1000,
        "a/memory.current": 900,
        "a/b/memory.max": 500,
        "a/b/memory.current": 100,
        "a/b/c/memory.max": "max",
        "a/b/c/memory.current": 100,
    }
    root = machine(tmp_path, "0::/a/b/c", V2.format(top="/"), files)
    assert allowance(root) == Allowance(limit=500, available=100)


def test_memory_that_caches_files_counts_as_available(tmp_path: Path) -> None:
    files = {
        "a/memory.max": 1000,
        "a/memory.current": 900,
        "a/memory.stat": "anon 300\ninactive_file 600\nactive_file 0",
    }
    root = machine(tmp_path, "0::/a", V2.format(top="/"), files)
    assert allowance(root) == Allowance(limit=1000, available=700)


def test_version_1_follows_the_memory_controller(tmp_path: Path) -> None:
    files = {
        "memory/memory.limit_in_bytes": UNLIMITED,
        "memory/memory.usage_in_bytes": 10**9,
        "memory/job/memory.limit_in_bytes": 4096,
        "memory/job/memory.usage_in_bytes": 96,
        "memory/job/memory.stat": "total_inactive_file 0",
        "cpu/job/memory.limit_in_bytes": 1,
    }
    mounts = OTHER + V1.format(top="/")
    root = machine(tmp_path, "4:memory:/job\n1:cpu:/job\n0::/", mounts, files)
    assert allowance(root) == Allowance(limit=4096, available=4000)


@pytest.mark.parametrize(
    ("path", "top"),
    [
        ("/docker/abc", "/docker/abc"),  # Docker mounts the container's own cgroup
        ("/docker/abc/inner", "/docker/abc/inner"),
        ("/", "/"),  # in a namespace of its own, the container's cgroup is the root
        ("/../outside", "/"),
        ("/docker/abc", "/kubepods/xyz"),
    ],
)
def test_in_a_namespace_the_mounted_cgroup_is_the_containers_own(
    tmp_path: Path, path: str, top: str
) -> None:
    files = {"memory/memory.limit_in_bytes": 4096, "memory/memory.usage_in_bytes": 96}
    root = machine(tmp_path, f"4:memory:{path}", V1.format(top=top), files)
    assert allowance(root) == Allowance(limit=4096, available=4000)


def test_a_mount_point_with_a_space_is_found(tmp_path: Path) -> None:
    mount = "30 23 0:26 / /sys/fs/cgroup/my\\040groups rw - cgroup2 cgroup2 rw\n"
    files = {"my groups/memory.max": 7, "my groups/memory.current": 3}
    assert allowance(machine(tmp_path, "0::/", mount, files)) == Allowance(limit=7, available=4)
