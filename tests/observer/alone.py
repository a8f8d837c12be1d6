"""A program that imports the observer from its folder, under a name of its own.

The argument is the folder. Of all installed packages, only torch and its requirements can be
imported. Prints JSON: the bytes that a step held at its end, by owner; its log; all modules.
"""

import importlib.util
import json
import re
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path


def canonical(distribution):
    return re.sub("[-_.]+", "-", distribution).lower()


def needed_by(distribution):
    """The distribution and all that it requires, without extras."""
    found, waiting = set(), [distribution]
    while waiting:
        name = canonical(waiting.pop())
        if name not in found:
            found.add(name)
            try:
                parts = requires(name) or ()
            except PackageNotFoundError:
                continue
            waiting += [re.match(r"[\w.-]+", part)[0] for part in parts if "extra ==" not in part]
    return found


class Hiding:
    """Finds modules as `finders` do, but none of the distributions that torch does not need."""

    def __init__(self, finders):
        self.finders = finders
        needed = needed_by("torch")
        self.hidden = {"vramtop"} | {
            module
            for module, distributions in packages_distributions().items()
            if not needed.intersection(map(canonical, distributions))
        }

    def find_spec(self, name, *where):
        if name.partition(".")[0] in self.hidden:
            return None
        specs = (finder.find_spec(name, *where) for finder in self.finders)
        return next(filter(None, specs), None)


def load(folder):
    """The package in this folder, importable as `observed`."""
    spec = importlib.util.spec_from_file_location(
        "observed", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    sys.modules["observed"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["observed"])


def recorded():
    """A step of a training, the first with its optimizer."""
    import torch
    from observed.ownership import Owners
    from observed.reader import allocator_reader
    from observed.recording import Recording

    device = torch.device("cpu")
    model = torch.nn.Linear(8, 4, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    batch = torch.ones(2, 8)
    owners = Owners((model,), (optimizer,))
    with Recording(device, owners, allocator_reader(device)) as recording:
        recording.batch(inputs=batch)
        recording.begin("forward")
        loss = model(batch).sum()
        recording.begin("backward")
        loss.backward()
        recording.begin("optimizer")
        optimizer.step()
    return recording


if __name__ == "__main__":
    sys.meta_path[:] = [Hiding(list(sys.meta_path))]
    load(Path(sys.argv[1]))
    recording = recorded()
    held = {}
    for owner, survived_forward, size in recording.alive():
        name = owner or ("activations" if survived_forward else "temporaries")
        held[name] = held.get(name, 0) + size
    print(json.dumps({"held": held, "log": recording.log(), "modules": sorted(sys.modules)}))
