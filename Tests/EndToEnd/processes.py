"""Processes as /proc shows them: who runs under whom, and whether it is still there."""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process; pid and start time together name it, so that a reused pid is not mistaken for it."""

    pid: int
    started: int
    parent: int
    program: str

    @property
    def alive(self) -> bool:
        """False also for a zombie that only init has yet to collect."""
        fields = _stat(self.pid)
        if fields is None or int(fields[19]) != self.started:
            return False
        return not (fields[0] == "Z" and int(fields[1]) == 1)

    @property
    def zombie(self) -> bool:
        fields = _stat(self.pid)
        return fields is not None and fields[0] == "Z" and int(fields[19]) == self.started

    @property
    def cpu_ticks(self) -> int:
        """User and system time so far, in clock ticks (10 ms)."""
        fields = _stat(self.pid)
        return 0 if fields is None else int(fields[11]) + int(fields[12])

    def mentions(self, text: str) -> bool:
        """Whether its command line, or a file it has mapped, has `text` in its name."""
        try:
            return any(text in Path(f"/proc/{self.pid}/{file}").read_text(errors="replace") for file in ("cmdline", "maps"))
        except OSError:
            return False

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> bool:
        """Whether it was there to be killed: it may have ended by itself meanwhile."""
        with suppress(ProcessLookupError):
            self.send(signal.SIGKILL)
            return True
        return False


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third (state) on; see proc(5)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def _program(pid: int) -> str:
    try:
        return Path(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")).name
    except OSError:
        return ""


def all_processes() -> list[Process]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(int(entry))) is not None:
            found.append(Process(int(entry), int(fields[19]), int(fields[1]), _program(int(entry))))
    return found


def descendants(pid: int) -> list[Process]:
    """Everything that runs below `pid`, itself not included."""
    everything = all_processes()
    family, found = {pid}, []
    grew = True
    while grew:
        grew = False
        for process in everything:
            if process.parent in family and process.pid not in family:
                family.add(process.pid)
                found.append(process)
                grew = True
    return found


def mentioning(path: Path) -> list[Process]:
    """Processes whose command line or working directory names `path`: also those that lost their parent."""
    found = []
    for process in all_processes():
        try:
            command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            folder = os.readlink(f"/proc/{process.pid}/cwd")
        except OSError:
            continue
        if (bytes(path) in command or folder.startswith(str(path))) and process.pid != os.getpid():
            found.append(process)
    return found
