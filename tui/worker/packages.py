"""The packages that a training needs and that a base install leaves out."""

from __future__ import annotations

from importlib.util import find_spec

from vramtop.protocol.lesson.settings import SettingError

# How each module is called in prose. Both come with the extra named `trainer`.
_NEEDED = {"torch": "PyTorch", "torchvision": "torchvision"}


def check_trainer(what: str) -> None:
    """Raise `SettingError` with one line where the packages that `what` needs are not installed.

    Workers run in this interpreter's environment. Nothing is imported to find out.
    """
    missing = [name for module, name in _NEEDED.items() if not _installed(module)]
    if missing:
        raise SettingError(
            f"{what} needs {' and '.join(missing)}: pip install 'vramtop-lab[trainer]'; "
            "without it work vramtop gpus, run and attach"
        )


def _installed(module: str) -> bool:
    """Whether the module can be imported. A folder that an uninstallation left behind cannot."""
    spec = find_spec(module)
    return spec is not None and spec.origin is not None
