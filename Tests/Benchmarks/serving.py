"""What the benchmarks measure: a Swiftlet with a hello function, and php-fpm with a hello script behind an nginx of its own."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / ".build/release"
TICKS = os.sysconf("SC_CLK_TCK")


def need(condition, message: str) -> None:
    if not condition:
        sys.exit(message)


def find(*names: str) -> str:
    """The first of these programs that there is; Debian names php-fpm by its version."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    found = next((program for name in names if (program := shutil.which(name, path=path))), None)
    need(found, f"{names[0]} is missing. Install it:  sudo apt-get install wrk php-fpm nginx-light")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, what: str, within: float = 15):
    deadline = time.monotonic() + within
    while not (value := condition()):
        need(time.monotonic() < deadline, f"{what} did not happen within {within} s")
        time.sleep(0.002)
    return value


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def children(pid: int) -> list[int]:
    found = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, thread.read_text().split())
    return found


def family(pid: int) -> list[int]:
    return [pid] + [member for child in children(pid) for member in family(child)]


def program_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")).name
    return ""


def cpu_seconds(pid: int) -> float:
    """User and system time of a living process so far."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / TICKS


class Server:
    """Where to call something, and the process above all that serves it."""

    def __init__(self, name: str, folder: Path):
        self.name, self.folder, self.port = name, folder, free_port()
        self.headers: dict[str, str] = {}
        self.processes: list[subprocess.Popen] = []

    def start(self, *command) -> subprocess.Popen:
        with (self.folder / "output.log").open("ab") as output:
            process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.processes.append(process)
        return process

    def connection(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def answers(self, path: str) -> bool:
        with contextlib.suppress(OSError):
            connection = self.connection()
            connection.request("GET", path, headers=self.headers)
            return connection.getresponse().status == 200
        return False

    def members(self) -> list[int]:
        return [member for process in self.processes for member in family(process.pid)]

    def workers(self) -> list[int]:
        """Processes that run the handler."""
        raise NotImplementedError

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


class Swiftlet(Server):
    """`swiftlet serve` with nginx, keys and the ledger, and one function: hello."""

    def __init__(self, folder: Path, scale: str, *arguments: str):
        super().__init__("swiftlet", folder)
        need((PROGRAMS / "swiftlet").exists(), "Swiftlet is not built. Run:  swift build -c release")
        state = folder / "state"
        function = state / "functions/hello"
        function.mkdir(parents=True)
        shutil.copy(PROGRAMS / "benchmark-hello", function / "hello")
        (function / "function.yaml").write_text(f"name: hello\nroutes: [GET /hello]\nhandler: ./hello\nscale: {{{scale}}}\n")
        self.main = self.start(PROGRAMS / "swiftlet", "serve", "--state", state, "--port", self.port, *arguments)
        wait_for(lambda: self.answers("/health"), "the start of swiftlet")
        made = subprocess.run(
            [PROGRAMS / "swiftlet", "keys", "create", "--name", "bench", "--state", state, "--format", "json"],
            check=True, capture_output=True)
        self.headers = {"Authorization": f"Bearer {json.loads(made.stdout)['key']}"}
        wait_for(lambda: self.answers("/hello"), "the hello function")

    def workers(self) -> list[int]:
        return [pid for pid in children(self.main.pid) if program_of(pid) == "hello"]

    def log(self) -> str:
        return (self.folder / "output.log").read_text()


class FPM(Server):
    """php-fpm behind nginx, with eight workers (`static`) or none until they are needed (`ondemand`)."""

    def __init__(self, folder: Path, manager: str):
        super().__init__(f"php-fpm {manager}", folder)
        program = find("php-fpm", "php-fpm8.4", "php-fpm8.3", "php-fpm8.2")
        # Readable for the user that php-fpm's workers run as.
        folder.chmod(0o755)
        (folder / "hello.php").write_text('<?php header("Content-Type: text/plain"); echo "Hello, world!\\n";\n')
        (folder / "fpm.conf").write_text(f"""
[global]
error_log={folder}/fpm.log
daemonize=no
[www]
{"user=www-data" if os.geteuid() == 0 else ""}
listen={folder}/fpm.sock
listen.mode=0666
listen.backlog=4096
pm={manager}
pm.max_children=8
pm.process_idle_timeout=1s
""")
        (folder / "nginx.conf").write_text(f"""
{"user www-data;" if os.geteuid() == 0 else ""}
worker_processes auto; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 4096; }}
http {{
    access_log off; client_body_temp_path {folder}/b; fastcgi_temp_path {folder}/f;
    proxy_temp_path {folder}/p; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{self.port} backlog=4096; keepalive_requests 1000000;
        location / {{
            include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME {folder}/hello.php;
            fastcgi_pass unix:{folder}/fpm.sock;
        }}
    }}
}}
""")
        self.main = self.start(program, "--nodaemonize", "--fpm-config", folder / "fpm.conf", *(["-R"] if os.geteuid() == 0 else []))
        self.start(find("nginx"), "-c", folder / "nginx.conf", "-e", folder / "nginx.log")
        wait_for(lambda: self.answers("/hello"), f"the start of {self.name}")

    def workers(self) -> list[int]:
        return children(self.main.pid)


@contextlib.contextmanager
def running(make, *arguments):
    """A server in a folder of its own, gone afterwards."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    # Short, for the unix sockets in it.
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        server = None
        try:
            server = make(Path(folder), *arguments)
            yield server
        finally:
            if server:
                server.stop()


def milliseconds(values: list[float]) -> str:
    values = [value * 1000 for value in values]
    return (f"p50 {statistics.median(values):6.2f} ms   p99 {percentile(values, 0.99):6.2f} ms   "
            f"min {min(values):6.2f}   max {max(values):6.2f}")
