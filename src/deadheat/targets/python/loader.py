"""``FILE.py:NAME``: the class in a Python file that describes a target.

Rule: everything that can be wrong with file and name is said in one line, before anything starts;
what the file itself raises is told with its own line.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

from deadheat.errors import BadFile
from deadheat.targets.python.python_target import PythonTarget, mistake_line

_WORD = re.compile(r"(?P<file>.+\.py):(?P<name>[A-Za-z_]\w*)\Z")


def named(word: str) -> tuple[Path, str] | None:
    """File and name, if ``word`` has the form ``FILE.py:NAME``."""
    match = _WORD.match(word)
    return None if match is None else (Path(match["file"]), match["name"])


def load_target(file: Path, name: str) -> PythonTarget:
    """An instance of the class ``name`` in ``file``. Raises ``BadFile``."""
    if not file.is_file():
        raise BadFile(f"there is no file {file}. Name one as FILE.py:CLASS.")
    module_name = f"deadheat_target_{file.stem}"
    spec = importlib.util.spec_from_file_location(module_name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses in it look themselves up
    folder = str(file.absolute().parent)
    if folder not in sys.path:  # it may build on another one beside it
        sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except Exception as exc:
        line = exc.lineno if isinstance(exc, SyntaxError) else None
        at = f":{line}" if line is not None else mistake_line(exc, file.name)
        raise BadFile(f"{file}{at}: {type(exc).__name__}: {exc}. Correct it.") from exc
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, PythonTarget)):
        classes = [
            one
            for one, value in vars(module).items()
            if isinstance(value, type)
            and issubclass(value, PythonTarget)
            and value is not PythonTarget
        ]
        there = f"It has {', '.join(classes)}." if classes else "Write a subclass of PythonTarget."
        raise BadFile(f"{file} has no target called {name}. {there}")
    try:
        return found()
    except Exception as exc:
        at = mistake_line(exc, file.name)
        raise BadFile(f"{file}{at}: {type(exc).__name__}: {exc}. Correct it.") from exc
