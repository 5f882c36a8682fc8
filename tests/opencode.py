"""OpenCode's profile, which the small servers of the tests speak as well."""

from __future__ import annotations

from deadheat.targets.opencode.releases import profile_of

WIRE = profile_of(None).wire()
_events = profile_of(None).events_wire()
assert _events is not None
EVENTS = _events
