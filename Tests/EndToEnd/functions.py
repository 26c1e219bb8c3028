"""Function folders for the tests, and the folder they are dropped into."""

import ctypes
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from swiftlet import System

HANDLERS = Path(__file__).parent / "Handlers"


class FunctionsFolder:
    """`<state>/functions`. A folder comes, changes and goes in one step, as a careful deployment does it."""

    def __init__(self, system: System):
        self.path = system.state / "functions"
        self._placed: set[str] = set()
        # Beside the state and on its disk, so that folders can be renamed into place.
        self._workshop = Path(tempfile.mkdtemp(prefix="workshop-", dir=system.state.parent))

    def place(self, name: str, files: dict[str, str | Path]) -> Path:
        """Puts the function `name` there, in place of what was there; a file is text, or a path to copy."""
        made = self._workshop / f"{name}-{os.urandom(4).hex()}"
        made.mkdir()
        for file, content in files.items():
            (made / file).write_text(content.read_text() if isinstance(content, Path) else content)
        self._placed.add(name)
        target = self.path / name
        if target.exists():
            exchange(made, target)
        else:
            made.rename(target)
        return target

    def place_python(self, name: str, route: str, *manifest: str, **environment: str) -> Path:
        """The echo handler: a FastCGI program in Python, run by the interpreter that runs the tests."""
        return self.place(name, {"function.yaml": self.manifest(name, route, *manifest, **environment), "echo.py": HANDLERS / "echo.py"})

    @staticmethod
    def manifest(name: str, route: str, *manifest: str, **environment: str) -> str:
        return "\n".join([
            f"name: {name}", f"routes: [{route}]", f"handler: {json.dumps([sys.executable, 'echo.py'])}",
            f"environment: {json.dumps(environment)}", *manifest])

    def adopt(self, name: str) -> None:
        """A function that something else has put there is taken out with the others."""
        self._placed.add(name)

    def remove(self, name: str) -> None:
        if (self.path / name).exists():
            (self.path / name).rename(self._workshop / f"{name}-{os.urandom(4).hex()}")
        self._placed.discard(name)

    def clear(self) -> None:
        for name in list(self._placed):
            self.remove(name)
        shutil.rmtree(self._workshop, ignore_errors=True)


def exchange(one: Path, other: Path) -> None:
    """Swaps two folders in one step, so that nobody ever finds neither: renameat2 with RENAME_EXCHANGE."""
    libc = ctypes.CDLL(None, use_errno=True)
    here, swap = -100, 2
    if libc.renameat2(here, bytes(one), here, bytes(other), swap) != 0:
        raise OSError(ctypes.get_errno(), f"cannot exchange {one} and {other}")
