"""What the measurements stand on: nginx with a key, files that are real MP4s, and fair timing of whole processes."""

import contextlib
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
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-bench"
MIB = 1 << 20

TASK = '{"code":"success","data":{"task_id":"task_1","status":"IN_PROGRESS","progress":"42%"}}'
# The same as the peers' own service says it.
PEER_TASK = (
    '{"id":"video_1","object":"video","model":"sora-2","status":"in_progress","progress":42,"created_at":1700000000,'
    '"seconds":"6","size":"1280x720"}'
)

NGINX = """
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log warn;
events {{ worker_connections 8192; }}
worker_rlimit_nofile 20000;
http {{
  access_log off; sendfile on; tcp_nopush on; types {{ video/mp4 mp4; application/json json; }}
  client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem; ssl_protocols TLSv1.3;
  server {{
    listen {host}:{http}; listen {host}:{https} ssl; root {dir}/www;
    if ($http_authorization != "Bearer {key}") {{ return 401; }}
    location /slow/ {{ alias {dir}/www/; limit_rate 20m; }}
    location = /served {{ stub_status; }}
    location /v1/video/generations/ {{ default_type application/json; try_files /task.json =404; }}
  }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Missing(RuntimeError):
    """Why a measurement cannot be made on this machine."""


def attempt(title, make):
    """The table, or why there is none: what is missing for one must not cost the others."""
    try:
        return make()
    except RuntimeError as why:
        return f"### {title}\n\nNot measured here: {why}.\n"


def available(*makers):
    """The candidates that there are, and a sentence about each of the others."""
    found, notes = [], []
    for name, make in makers:
        try:
            found.append((name, *make()))
        except Missing as why:
            notes.append(f"Without {name}: {why}.")
    return found, notes


def table(title, results, base, notes=()):
    """Markdown rows; ratios against `base`: speed above 1 is faster, CPU below 1 is cheaper."""
    lines = [f"### {title}", "", "| | wall s | CPU s | peak MiB | speed | CPU |", "|---|---|---|---|---|---|"]
    for name, series in results.items():
        wall, cpu, rss = (series.median(what) for what in ("wall", "cpu", "rss"))
        speed, share = results[base].median("wall") / wall, cpu / results[base].median("cpu")
        lines.append(f"| {name} | {wall:.3f} | {cpu:.3f} | {rss:.1f} | {speed:.2f}× | {share:.2f}× |")
    return "\n".join([*lines, *(line for note in notes for line in ("", note))]) + "\n"


def loops(title, candidates, ours, count=3, notes=()):
    """Programs that time a loop themselves and print µs of CPU and of the clock for one turn."""
    runs = {name: [] for name, *_ in candidates}
    for _ in range(count):
        for name, command, env in candidates:
            done = subprocess.run(list(map(str, command)), env=dict(os.environ, **env), capture_output=True, text=True)
            if done.returncode != 0:
                raise RuntimeError(f"{name} ended with {done.returncode}: {(done.stderr or done.stdout)[-400:]}")
            runs[name].append([float(word) for word in done.stdout.split()])
    found = {name: [statistics.median(run[index] for run in each) for index in (0, 1)] for name, each in runs.items()}
    lines = [f"### {title}", "", "| | CPU µs | wall µs | CPU |", "|---|---|---|---|"]
    for name, (cpu, wall) in found.items():
        lines.append(f"| {name} | {cpu:.0f} | {wall:.0f} | {cpu / found[ours][0]:.2f}× |")
    return "\n".join([*lines, *(line for note in notes for line in ("", note))]) + "\n"


@dataclass
class Run:
    wall: float
    cpu: float
    rss: float  # MiB


@dataclass
class Series:
    name: str
    runs: list = field(default_factory=list)

    def median(self, what):
        return statistics.median(getattr(run, what) for run in self.runs)


def measure(command, env=None, cwd=None):
    """One process from start to end: wall seconds, its own CPU seconds, peak MiB.

    GNU time stands between: a process started by Python counts Python's own memory as its peak.
    """
    report = tempfile.NamedTemporaryFile("r", prefix="junfeiai-peak-")
    command = ["/usr/bin/time", "-q", "-f", "%M", "-o", report.name, *map(str, command)]
    begun = time.monotonic()
    process = subprocess.Popen(command, env=dict(os.environ, **(env or {})), cwd=cwd, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    stderr = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command[7:]} ended with {process.returncode}: {stderr.decode(errors='replace')[-400:]}")
    with report:
        peak = int(report.read().split()[-1]) / 1024
    return Run(wall, usage.ru_utime + usage.ru_stime, peak)


def rounds(candidates, count, before=lambda: None):
    """Runs the candidates in turn, `count` times after one warm-up: what drifts, drifts for all of them."""
    series = [Series(name) for name, *_ in candidates]
    for turn in range(count + 1):
        for (_, command, env), one in zip(candidates, series):
            before()
            run = measure(command, env)
            if turn:
                one.runs.append(run)
    return {one.name: one for one in series}


class Lab:
    """A folder with files and an nginx that wants the key. On loopback, on free ports, gone at the end."""

    def __init__(self, folder=None):
        host = "127.0.0.1"
        self.dir = Path(tempfile.mkdtemp(prefix="junfeiai-bench-", dir=folder))
        (self.dir / "www" / "videos").mkdir(parents=True)
        (self.dir / "www" / "task.json").write_text(TASK)
        (self.dir / "www" / "videos" / "task.json").write_text(PEER_TASK)
        os.chmod(self.dir, 0o755)
        self.host = host
        self.http, self.https = free_port(), free_port()
        self.ca = self.dir / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                        "-subj", "/CN=junfeiai bench", "-addext", f"subjectAltName=IP:{host},DNS:localhost",
                        "-addext", "basicConstraints=critical,CA:FALSE",
                        "-keyout", self.dir / "key.pem", "-out", self.ca], check=True, capture_output=True)
        user = "user root;\n" if os.getuid() == 0 else ""
        config = NGINX.format(dir=self.dir, http=self.http, https=self.https, key=KEY, host=host)
        (self.dir / "nginx.conf").write_text(user + config)
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen([nginx, "-p", self.dir, "-c", self.dir / "nginx.conf"],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.4)
        if self.process.poll() is not None:
            raise RuntimeError(f"nginx did not start: {(self.dir / 'error.log').read_text()[-400:]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)

    @contextlib.contextmanager
    def delayed(self, rtt):
        """The plain server behind a relay that adds this round-trip time; gives the relay's origin."""
        port = free_port()
        relay = subprocess.Popen([sys.executable, Path(__file__).with_name("delay.py"), str(port), str(self.http), str(rtt)],
                                 stdout=subprocess.PIPE, text=True)
        try:
            relay.stdout.readline()
            yield f"http://127.0.0.1:{port}"
        finally:
            relay.terminate()
            relay.wait(10)

    def url(self, path, tls=False):
        scheme, port = ("https", self.https) if tls else ("http", self.http)
        return f"{scheme}://{self.host}:{port}/{path}"

    def served(self):
        """Requests that the server answered so far, this one included."""
        ask = urllib.request.Request(self.url("served"), headers={"Authorization": f"Bearer {KEY}"})
        return int(urllib.request.urlopen(ask).read().split()[9])

    def peer_video(self, name):
        """A video under the address that the peers' SDKs ask for: `videos/NAME/content` below the base URL."""
        folder = self.dir / "www" / "videos" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "content").symlink_to(self.dir / "www" / name)

    def video(self, name, size, clip):
        """A real MP4 of this size: a small clip, and a `free` box of bytes that do not repeat in any block."""
        path = self.dir / "www" / name
        rest = size - len(clip)
        with open(path, "wb") as out:
            out.write(clip)
            out.write(rest.to_bytes(4, "big") + b"free")
            rest -= 8
            block = os.urandom(1 << 20)
            while rest > 0:
                out.write(block[: min(rest, len(block))])
                rest -= len(block)
        return path


def clip():
    """A small real video, drawn by the emulator."""
    binary = ROOT / "target" / "debug" / "junfeiai-emulator"
    process = subprocess.Popen([binary, "--port", "0", "--quiet", "--exit-with-stdin"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        origin = process.stdout.readline().split()[-1]
        order = urllib.request.Request(f"{origin}/__emulator/tasks", b"{}", {"Content-Type": "application/json"})
        task = json.load(urllib.request.urlopen(order))
        task = task["id"] if isinstance(task, dict) else task
        return urllib.request.urlopen(f"{origin}/__emulator/video/{task}").read()
    finally:
        process.stdin.close()
        process.wait(10)


def memory_folder():
    """A file system in memory where there is one, so that a disk is not what is measured."""
    shm = Path("/dev/shm")
    return shm if shm.is_dir() and shutil.disk_usage(shm).free > 4 << 30 else None


def machine():
    """The machine in one line, for the head of a table."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{os.cpu_count()} × {model}, {sys.platform}, Python {sys.version.split()[0]}"
