"""Compares the promises under which an artifact was recorded with those of a target.

Rules
- A target that promises less is silent about what another one was found guilty of: its silence
  proves nothing. One that promises more, or the same, or something else that has nothing to do
  with the finding, can be compared.
- So the recorded history is judged again, under what is promised here.
- A server that died, or answered no client, broke no promise of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deadheat.check.checker import check
from deadheat.model.verdict import Anomaly, Diverged

if TYPE_CHECKING:
    from deadheat.drive.live import LiveTarget
    from deadheat.files.artifact import Artifact

_WHATEVER_IS_PROMISED = frozenset({Anomaly.CRASH, Anomaly.UNRESPONSIVE, Anomaly.HANG})


def other_promises(live: LiveTarget, artifact: Artifact) -> str:
    """Why the silence of ``live`` proves nothing, in words; empty: it can be compared."""
    recorded, here = artifact.target, live.target
    if here.settle_ms > recorded.settle_ms:
        return (
            f"{here.name} may take {here.settle_ms} ms to settle, and it was recorded where "
            f"{recorded.settle_ms} ms were promised"
        )
    if live.promises == recorded.promises or artifact.anomaly in _WHATEVER_IS_PROMISED:
        return ""
    if isinstance(check(artifact.history, live.promises, custom=here.custom_model), Diverged):
        return ""
    return (
        f"{here.name} promises: {live.promises}; it was recorded under: {recorded.promises}; what "
        "was recorded would be no divergence there"
    )
