"""The detectors: pure steps over what happened, each in a file of its own (docs/detectors.md).

They see what happened and nothing else: no sender, no label, no scenario. To add one, write its file here
with the instance `DETECTOR` in it: it is found by itself.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from memorybank.detector import AnyDetector


@cache
def found() -> tuple[AnyDetector, ...]:
    """Return the detector of every module of this package that has one, by name."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    detectors = [module.DETECTOR for module in modules if hasattr(module, "DETECTOR")]
    return tuple(sorted(detectors, key=lambda detector: detector.name))
