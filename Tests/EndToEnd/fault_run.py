"""Workers and hosts that are killed at random under full load; afterwards everything is as it was."""

import argparse
import http.client
import os
import random
import re
import time
from collections import Counter
from dataclasses import dataclass

from fresh import fresh_system
from functions import FunctionsFolder
from load import Load, bytes_of_echo, completion, embedding, stream
from processes import Process
from swiftlet import System, eventually

CALLS = [bytes_of_echo, completion, stream, embedding]


@dataclass
class Footprint:
    """What a system at rest has: processes by program, and what `serve` holds."""

    programs: Counter
    descriptors: int
    resident: int

    @classmethod
    def of(cls, system: System) -> "Footprint":
        serve = serve_of(system)
        status = open(f"/proc/{serve}/status").read()
        return cls(
            Counter(p.program for p in system.processes() if not p.zombie), _descriptors(serve), int(re.search(r"VmRSS:\s+(\d+)", status)[1]) << 10)


def serve_of(system: System) -> int:
    """The process id of `swiftlet serve`, whether `Gateway/up` or a test has started it."""
    return next((p.pid for p in system.processes("swiftlet")), system.process.pid)


def _descriptors(pid: int) -> int:
    """Without the connections that nginx keeps open, whose number only says how much it had to do at once."""
    kept = {line.split()[6] for line in open("/proc/net/unix").readlines()[1:] if line.rstrip().endswith("gateway.sock")}
    count = 0
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{entry}")
        except OSError:
            continue
        count += not (target.startswith("socket:[") and target[8:-1] in kept)
    return count


def prepare(system: System) -> FunctionsFolder:
    """The functions that the run calls, with workers that go soon when they are idle."""
    folder = FunctionsFolder(system)
    folder.place_python("echo", "GET /echo", "scale: {max: 4, idle: 500ms}")
    for name in ("generate", "embed"):
        manifest = system.state / "functions" / name / "function.yaml"
        manifest.write_text(re.sub(r"idle: \w+", "idle: 500ms", manifest.read_text()))
    for name in ("echo", "generate", "embed"):
        eventually(lambda: _serves(system, name), within=10, what=f"serving {name}")
    return folder


def _serves(system: System, name: str) -> bool:
    row = next((each for each in system.report("functions") if each["name"] == name), None)
    manifest = (system.state / "versions" / name / row["versions"][0] / "function.yaml") if row and row["versions"] else None
    return bool(manifest) and "500ms" in manifest.read_text()


def at_rest(system: System) -> Footprint:
    """Both hosts are warm, and no worker is left."""
    connection = system.connection()

    def is_whole(call) -> bool:
        try:
            return call(system, connection) == "whole"
        except (http.client.HTTPException, ConnectionError):
            connection.close()  # The last kill may have met this call; the next one opens it anew.
            return False

    for call in CALLS:
        eventually(lambda: is_whole(call), within=60, what=call.__name__)
    connection.close()
    eventually(lambda: not [p for p in system.processes() if is_worker(p)], within=30, what="rest")
    time.sleep(1)
    return Footprint.of(system)


def is_worker(process: Process) -> bool:
    """Of a function that is called here, the one in Python included."""
    return process.program in ("generate", "embed") or process.program.startswith("python")


def run(system: System, seconds: float, threads: int = 8, every: float = 0.3) -> tuple[Load, Counter, Footprint, Footprint]:
    prepare(system)
    with Load(system, CALLS, threads):
        time.sleep(min(5, seconds / 4))
    before = at_rest(system)
    killed: Counter[str] = Counter()
    serve = serve_of(system)
    with Load(system, CALLS, threads) as load:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(every)
            # nginx and `serve` are not part of the game.
            victims = [p for p in system.processes() if p.parent == serve and p.program not in ("nginx", "swiftlet-launch") and not p.zombie]
            if victims:
                victim = random.choice(victims)
                killed[victim.program] += victim.kill()
    return load, killed, before, at_rest(system)


def check(load: Load, killed: Counter, before: Footprint, after: Footprint) -> None:
    assert not load.broken, load.broken[:5]
    assert not load.outcomes["timeout"], load.outcomes
    assert load.outcomes["whole"] > 0 and sum(killed.values()) > 10
    # Idle workers may have gone; none may be left behind.
    assert not after.programs - before.programs, (before.programs, after.programs)
    assert after.descriptors <= before.descriptors + 2, (before.descriptors, after.descriptors)
    # An allocator keeps what it had at its peak.
    assert after.resident <= before.resident * 1.3 + (24 << 20), (before.resident, after.resident)


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill workers and hosts at random under full load, and check every answer.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=8, help="concurrent callers")
    parser.add_argument("--every", type=float, default=0.3, help="seconds between kills")
    options = parser.parse_args()
    with fresh_system() as system:
        load, killed, before, after = run(system, options.seconds, options.threads, options.every)
    print(f"{load.count} calls in {options.seconds:.0f} s; killed: {dict(killed)}")
    for outcome, count in load.outcomes.most_common():
        print(f"  {outcome:30} {count:8}")
    print(f"before: {before}\nafter:  {after}")
    check(load, killed, before, after)
    print("every answer was whole or told, and everything is as it was")


if __name__ == "__main__":
    main()
