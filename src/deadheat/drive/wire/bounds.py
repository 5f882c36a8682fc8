"""The bounds that every connection keeps to."""

from __future__ import annotations

# A list of 10,000 OpenCode sessions is about 3 MB; ten times that is no session list.
LARGEST_ANSWER = 32 * 1024 * 1024

# A request that did not arrive is sent again after so long: at once where the server closed an
# idle connection, then after what a listener that is being opened again (a reload) mostly needs.
AGAIN_AFTER_S = (0.0, 0.02, 0.1)
