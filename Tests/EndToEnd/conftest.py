import os

import pytest

from functions import FunctionsFolder
from swiftlet import System, eventually


@pytest.fixture(scope="session")
def system(tmp_path_factory):
    """The system most tests share, as `Gateway/up` starts it. Afterwards nothing of it may be left."""
    # pytest closes its folder to other users, and functions have users of their own.
    for folder in (tmp_path_factory.getbasetemp(), tmp_path_factory.getbasetemp().parent):
        folder.chmod(0o711)
    system = System(tmp_path_factory.mktemp("system")).up()
    running = system.processes()
    try:
        yield system
        running += system.processes()
        code = system.stop()
        eventually(lambda: not [p for p in running if p.alive], what="the end of every process")
        assert code == 0 and system.sockets() == []
    finally:
        system.kill()


@pytest.fixture
def new_system(system, tmp_path):
    """Makes systems of a test's own, ready to `serve`, for what would disturb the others."""
    made = []
    tmp_path.chmod(0o711)

    def make(state=tmp_path / "state") -> System:
        made.append(System(state).borrow_models(system))
        return made[-1]

    yield make
    for each in made:
        if each.process:
            each.kill()


@pytest.fixture(scope="session")
def client(system):
    return system.client()


@pytest.fixture
def new_key(system):
    """Makes keys that nobody has used before: `new_key("--rpm-limit", "5")` → (name, key)."""

    def make(*options: str) -> tuple[str, str]:
        name = f"test-{os.urandom(4).hex()}"
        return name, system.new_key(name, *options)

    return make


@pytest.fixture
def folders():
    """The functions folder of a system of a test's own."""
    return FunctionsFolder


@pytest.fixture
def functions(system):
    """The shared system's functions folder; what a test puts in is taken out again."""
    folder = FunctionsFolder(system)
    yield folder
    folder.clear()
