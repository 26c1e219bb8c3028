"""What goes wrong on purpose: programs are killed without warning, and the disk is full for a while."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from swiftlet import System


@dataclass
class Faults:
    system: System
    disk: Path | None
    choice: random.Random
    done: Counter = field(default_factory=Counter)
    # When the gateway was killed, and from when to when the disk was full.
    kills: list[float] = field(default_factory=list)
    full: list[tuple[float, float]] = field(default_factory=list)

    def may_have_lost(self, answered: float) -> bool:
        """Whether a call that was answered then may have no row, where none is waited for: the gateway was killed before it was written.

        That takes some milliseconds, to which clients and this add theirs; on a full disk it is tried again, every two seconds at last.
        """
        def killed(start: float, end: float) -> bool:
            return any(start <= kill <= end for kill in self.kills)

        return killed(answered - 0.25, answered + 0.25) or any(
            start <= answered <= end + 0.25 and killed(answered, end + 2.5) for start, end in self.full)

    def go_on(self, seconds: float) -> None:
        """Something every 0.2 to 1 s; the gateway about every 8 s, the disk about every 10."""
        end = time.monotonic() + seconds
        gateway, disk = 4.0, 6.0
        start = time.monotonic()
        while (now := time.monotonic()) < end:
            if now - start > gateway:
                self.kill_gateway()
                gateway += self.choice.uniform(6, 10)
            elif self.disk and now - start > disk:
                self.fill_disk(self.choice.uniform(0.5, 2))
                disk += self.choice.uniform(8, 12)
            else:
                self.kill(self.choice.choice(["swiftlet-host", "generate", "generate", "embed"]))
            time.sleep(self.choice.uniform(0.2, 1))

    def kill(self, program: str) -> None:
        running = self.system.processes(program)
        if running:
            self.done[f"{program} killed"] += self.choice.choice(running).kill()

    def kill_gateway(self) -> None:
        family = self.system.processes()
        self.kills.append(time.monotonic())
        self.system.process.kill()
        self.system.process.wait()
        self.done["gateway killed"] += 1
        deadline = time.monotonic() + 5
        while any(process.alive for process in family):
            assert time.monotonic() < deadline, f"{[p for p in family if p.alive]} outlive their gateway"
            time.sleep(0.01)
        self.system.serve()

    def fill_disk(self, seconds: float) -> None:
        ballast, start = self.disk / "ballast", time.monotonic()
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 65536)
            except OSError:
                self.done["disk filled"] += 1
        killer = threading.Timer(seconds / 2, lambda: self.choice.random() < 0.5 and self.kill("swiftlet-host"))
        killer.start()
        time.sleep(seconds)
        killer.join()
        ballast.unlink()
        self.full.append((start, time.monotonic()))
