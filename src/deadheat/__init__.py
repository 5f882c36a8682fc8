"""deadheat: finds races in HTTP session APIs, shrinks them, says how often they show."""

from importlib.metadata import version

__version__ = version("deadheat")
__all__ = ["__version__"]
