"""Compiles kernels while the page serves visitors without them: the first time on a machine takes some ten seconds."""

import logging
import threading

import numpy as np

from kpalette.images.picture import Picture
from kpalette.page.proofs import Proofs
from kpalette.page.results import page_recipe, why_missing
from kpalette.recolorers.registry import DEFAULT_MODEL

_METHODS = ("soft", "baseline", DEFAULT_MODEL)  # which use all kernels
_SIDE = 96

_log = logging.getLogger("kpalette.page")


class WarmUp:
    """Recolours a small picture in a thread, which compiles the kernels, or loads them.

    Attributes:
        done: whether they are ready. Where they are not installed or fail, results are made without them.

    Example:
        >>> warm_up = WarmUp()
        >>> warm_up.thread.join()
        >>> warm_up.done
        True
    """

    def __init__(self) -> None:
        """See the class."""
        self.done = False
        self.thread = threading.Thread(target=self._run, name="kpalette-warm-up", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE, 3), dtype=np.uint8)
        proofs = Proofs(Picture(noise))
        try:
            for method in _METHODS:
                if why_missing(method) is None:
                    proofs.result(page_recipe(method, ["#302010", "#d0c0b0"], ["#101040", "#f0e0d0"], 1.0))
        except Exception:  # visitors are served without kernels
            _log.exception("kernels cannot be used")
        else:
            self.done = True
