"""Deploys of good and broken versions, one after the other, under a constant load: no request may notice."""

import argparse
import random
import time
from collections import Counter
from pathlib import Path

from fresh import fresh_system
from load import Broken, Load, told
from swiftlet import System

BROKEN = {
    "exits": {"function.yaml": "routes: [GET /changing]\nhandler: [sh, -c, exit 3]\n"},
    "is not there": {"function.yaml": "routes: [GET /changing]\nhandler: ./missing\n"},
    "fails its probe": {
        "function.yaml": "routes: [GET /changing]\nhandler: php-cgi\nscript: index.php\nhealth: {probe: {path: /changing}}\n",
        "index.php": "<?php http_response_code(500); echo 'broken';"},
    "is misspelt": {"function.yaml": "routes: [GET /changing]\nhandlr: php-cgi\n"},
    "has no script": {"function.yaml": "routes: [GET /changing]\nhandler: php-cgi\nscript: other.php\n"},
}


def good(number: int) -> dict[str, str]:
    return {
        "function.yaml": "routes: [GET /changing]\nhandler: php-cgi\nscript: index.php\nscale: {max: 4}\nhealth: {probe: {path: /changing}}\n",
        "index.php": f"<?php echo 'good {number}';"}


def write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, text in files.items():
        (folder / name).write_text(text)


def changing(system: System, connection) -> str:
    connection.request("GET", "/changing", None, system.headers())
    response = connection.getresponse()
    data = response.read()
    if response.status != 200:
        return told(response.status, data)
    if not data.startswith(b"good "):
        raise Broken(f"the answer {data!r}")
    return data.decode()


def run(system: System, deploys: int, per_second: float = 200) -> tuple[Load, Counter]:
    """- Returns: the load, and what became of the deploys."""
    folder = system.state.parent / "changing"
    write(folder, good(0))
    system.command("deploy", folder)
    verdicts: Counter[str] = Counter()
    with Load(system, [changing], threads=16, per_second=per_second) as load:
        time.sleep(0.5)
        for number in range(1, deploys + 1):
            if number % 2:
                write(folder, good(number))
                system.command("deploy", folder)
                verdicts["serves"] += 1
                # From now on nobody gets the version before.
                assert system.request("GET", "/changing").body.decode() == f"good {number}"
            else:
                name = random.choice(sorted(BROKEN))
                write(folder, BROKEN[name])
                done = system.command("deploy", folder, check=False)
                assert done.returncode == 1 and done.stderr, f"a version that {name} was taken"
                verdicts[f"refused: {name}"] += 1
        time.sleep(0.5)
    return load, verdicts


def check(load: Load, deploys: int) -> None:
    assert not load.broken, load.broken[:5]
    versions = {outcome for outcome in load.outcomes if outcome.startswith("good ")}
    assert set(load.outcomes) == versions, load.outcomes
    assert len(versions) > deploys / 4


def main() -> None:
    parser = argparse.ArgumentParser(description="Deploy good and broken versions in turn under constant load, and check every answer.")
    parser.add_argument("--deploys", type=int, default=200)
    parser.add_argument("--per-second", type=float, default=200, help="requests a second")
    options = parser.parse_args()
    with fresh_system() as system:
        began = time.monotonic()
        load, verdicts = run(system, options.deploys, options.per_second)
        seconds = time.monotonic() - began
    latencies = sorted(load.latencies)
    print(f"{options.deploys} deploys and {load.count} requests in {seconds:.0f} s ({load.count / seconds:.0f}/s)")
    for verdict, count in verdicts.most_common():
        print(f"  {verdict:30} {count:5}")
    failed = sum(count for outcome, count in load.outcomes.items() if not outcome.startswith("good "))
    print(f"  p50 {latencies[len(latencies) // 2] * 1000:.1f} ms, p99 {latencies[len(latencies) * 99 // 100] * 1000:.1f} ms, failed {failed}")
    check(load, options.deploys)
    print("no request noticed a deploy")


if __name__ == "__main__":
    main()
