import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "EndToEnd"))

from swiftlet import System  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--seconds", type=float, default=60, help="how long the chaos goes on")
    parser.addoption("--seed", type=int, default=None, help="of the random choices; a new one each time if there is none")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own for the ledger, small enough to be filled up: a tmpfs, which only root may mount. None where that is refused."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=700", "swiftlet-chaos", disk], capture_output=True, text=True)
    if mounted.returncode != 0:
        yield None
        return
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.fixture
def system(tmp_path, small_disk):
    """A system ready to serve, with its ledger on the small disk if there is one."""
    installed = System(tmp_path / "installed").up()
    assert installed.stop() == 0
    made = System(tmp_path / "state").borrow_models(installed)
    if small_disk:
        move_ledger(made, small_disk)
    try:
        yield made.serve()
    finally:
        if made.process:
            made.kill()


def move_ledger(system: System, disk: Path) -> None:
    """SQLite follows links, and puts its other files beside the real one."""
    (disk / "ledger.sqlite").touch(0o600)
    (disk / "tallies").mkdir(0o700)
    (system.state / "ledger.sqlite").symlink_to(disk / "ledger.sqlite")
    (system.state / "ledger.sqlite-tallies").symlink_to(disk / "tallies")
