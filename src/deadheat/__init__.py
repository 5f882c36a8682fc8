"""deadheat: finds races in HTTP session APIs, shrinks them, says how often they show."""

__all__ = ["__version__"]

__version__: str


def __getattr__(name: str) -> str:
    """The version, looked up when it is asked for: that takes as long as all of ``--help``."""
    if name != "__version__":
        raise AttributeError(f"module 'deadheat' has no attribute {name!r}")
    from importlib.metadata import version

    return version("deadheat")
