"""Every error that deadheat raises on purpose, and whose fault it is.

    DeadheatError
    ├── UserError               the user's mistake              exit 2
    │   ├── UnknownTarget         no such target, version or program on PATH
    │   ├── RemoteRefused         not loopback, and --allow-remote was not given
    │   ├── Untrusted             the server's certificate is of no CA that we know
    │   ├── NoHttp2               --http2 where it cannot be had
    │   ├── BadArtifact           truncated, of a newer format, not an artifact
    │   ├── CannotExport          this example does not go into that kind of file
    │   ├── BadFile               a configuration or profile with a mistake in it
    │   ├── CannotSave            the folder for the examples cannot be written, or is full
    │   ├── StoreInUse            another campaign is writing to this folder
    │   ├── BadStore              no campaign's folder, or of a newer deadheat
    │   └── VersionsDiffer        a machine of the cluster runs another deadheat
    ├── TargetError             the target's                    exit 3
    │   ├── FetchFailed           the release could not be downloaded
    │   ├── StartFailed           the server did not start or never got ready
    │   ├── NotThisApi            it answers, but not as this API
    │   ├── TooLarge              its answers are too large to be judged
    │   ├── TargetDied            it stopped answering for good
    │   └── NotCleaned            what was made there may be there still
    ├── NothingExercised        a run that proves nothing       exit 3
    │   └── NotComparable         two measurements that say nothing about each other
    └── ForeignSession          ours: a change to a session that this run did
                                not create was refused          exit 4

Rules: the type says who is to blame, the message is one line and its last
sentence says what to do next. Anything else that escapes is our bug (exit 4).
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of the process; documented in the README and in ``--help``."""

    CLEAN = 0
    DIVERGED = 1
    USER = 2
    TARGET = 3
    INTERNAL = 4
    INTERRUPTED = 130  # 128 + SIGINT, as shells do


class DeadheatError(Exception):
    """Base of the tree; never raised itself."""

    exit_code = ExitCode.INTERNAL


class UserError(DeadheatError):
    """The command, a file or an option is wrong."""

    exit_code = ExitCode.USER


class UnknownTarget(UserError):
    """The word after the command is not a target that deadheat can reach."""


class RemoteRefused(UserError):
    """The address is not on this machine, and ``--allow-remote`` was not given."""


class Untrusted(UserError):
    """The server's certificate is signed by an authority that this machine does not trust."""


class NoHttp2(UserError):
    """HTTP/2 was asked for, and the package or the server lacks it."""


class BadArtifact(UserError):
    """The file is not an artifact that this version can replay."""


class BadFile(UserError):
    """A configuration or profile cannot be read, or contains a mistake."""


class CannotExport(UserError):
    """The example holds something that this kind of file cannot express."""


class CannotSave(UserError):
    """The folder for the saved examples cannot be made or written."""


class StoreInUse(UserError):
    """Another campaign is writing to this folder."""


class BadStore(UserError):
    """The folder holds no campaign that this version can go on with."""


class VersionsDiffer(UserError):
    """A worker's versions would draw other programs for the same seed."""


class TargetError(DeadheatError):
    """The server, or the way to it, is broken."""

    exit_code = ExitCode.TARGET


class FetchFailed(TargetError):
    """npm is missing, offline, or refuses."""


class StartFailed(TargetError):
    """The server ended, or never got ready.

    ``log_tail``: the last lines of its output, as many as ``ServerProcess.log_tail`` gives.
    """

    def __init__(self, message: str, log_tail: str = "") -> None:
        super().__init__(message)
        self.log_tail = log_tail


class NotThisApi(TargetError):
    """Something answers there, but not this API."""


class TooLarge(TargetError):
    """The server lists more than can be read and judged in time."""


class TargetDied(TargetError):
    """The server keeps dying or has stopped answering."""


class NotCleaned(TargetError):
    """The machine failed while a run was being tidied up."""


class NothingExercised(DeadheatError):
    """Nothing overlapped, or a kind of call never succeeded: this is not a pass."""

    exit_code = ExitCode.TARGET


class NotComparable(NothingExercised):
    """The old rate and the new trials cannot be compared, or a stated fact is wrong."""


class ForeignSession(DeadheatError):
    """deadheat tried to change a session that is not its own: a bug, caught in time."""
