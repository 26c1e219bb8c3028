"""A system of its own for a long run outside pytest."""

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from swiftlet import System


@contextmanager
def fresh_system():
    folder = Path(tempfile.mkdtemp(prefix="swiftlet-run-"))
    folder.chmod(0o711)
    system = System(folder / "state")
    try:
        yield system.up()
        assert system.stop() == 0
    finally:
        if system.process and system.process.poll() is None:
            system.kill()
        shutil.rmtree(folder, ignore_errors=True)
