import os
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
    """A disk of its own for a state, small enough to be filled up: a tmpfs, which only root may mount. None where that is refused."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=192m,mode=700", "swiftlet-chaos", disk], capture_output=True, text=True)
    if mounted.returncode != 0:
        yield None
        return
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.fixture
def system(tmp_path, small_disk):
    """A system ready to serve, on the small disk if there is one."""
    installed = System(tmp_path / "installed").up()
    assert installed.stop() == 0
    made = System((small_disk or tmp_path) / "state")
    made.state.mkdir()
    subprocess.run(["cp", "-r", installed.state / "models", made.state / "models"], check=True)
    for name in ("models.yaml", "prices.yaml"):
        (made.state / name).write_bytes((installed.state / name).read_bytes())
    # What it prints is not what its disk is filled with.
    made.output = tmp_path / "serve.log"
    try:
        yield made.serve()
    finally:
        if made.process:
            made.kill()
