"""Processes, ports, and waiting for them."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

# Time limit for everything that a test waits for, in seconds. Nothing takes as long, even on a busy machine.
TIMEOUT = 90


def wait_until(condition, what, timeout=TIMEOUT):
    """Waits until a condition returns a true value, and returns that."""
    end = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < end, f"waited {timeout} s until {what}"
        time.sleep(0.02)
    return found


def free_port(host="127.0.0.1"):
    """Returns a free port below those that the system uses for outgoing connections."""
    while True:
        port = random.randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port


class Service:
    """A process that runs until it is stopped, with the processes that it started itself."""

    def __init__(self, name, words, folder, **options):
        self.name = name
        self.log = Path(folder) / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
                **options,
            )

    def wait_until(self, condition, what):
        def holds():
            assert self.process.poll() is None, f"{self.name} has ended:\n{self.log.read_text()}"
            return condition()

        return wait_until(holds, what)

    def wait_for_port(self, port, host="127.0.0.1"):
        def listens():
            try:
                socket.create_connection((host, port), timeout=5).close()
                return True
            except OSError:
                return False

        self.wait_until(listens, f"{self.name} listens on port {port}")

    def kill(self):
        """Ends the process as a crash would."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        # Child processes that are still running are in its group.
        self._signal(signal.SIGKILL)
        self.process.wait()

    def _signal(self, number):
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def in_namespace(kind, *words):
    """Returns a command that runs `words` as root in a namespace of its own."""
    become_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", kind, *become_root, *words]


def with_hosts(hosts, words):
    """Returns a command that runs `words` with another /etc/hosts."""
    return in_namespace("--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts, *words)


def nginx_command(folder, servers):
    """Writes a configuration with these `server` blocks, and returns the command that runs nginx with it."""
    modules = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"  {module}_temp_path {folder}/{module};" for module in modules)
    configuration = folder / "nginx.conf"
    configuration.write_text(f"""\
user root;
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
{temporary}
  log_format interop '$server_port $ssl_protocol $request_method $request_uri $status';
  access_log {folder}/access.log interop;
{servers}
}}
""")
    return [shutil.which("nginx"), "-p", folder, "-c", configuration, "-e", folder / "error.log"]


class Connect:
    """A test server, in a process of its own."""

    def __init__(self, folder, *options, identity=None, prefix="", listen="127.0.0.1:0"):
        self.folder = Path(folder)
        self.folder.mkdir()
        self.prefix = prefix
        self._log, ready = self.folder / "requests", self.folder / "ready"
        words = [os.environ["CONNECT_TEST_SERVER_BIN"], "--listen", listen, "--prefix", prefix]
        words += ["--requests", self._log, "--ready", ready]
        if identity:
            words += ["--cert", identity.chain, "--key", identity.key]
        self.service = Service("connect", [*words, *options], self.folder)
        self.service.wait_until(ready.exists, "the test server listens")
        self.url, *self.nodes = ready.read_text().split()

    @property
    def port(self):
        return int(self.url.removesuffix(self.prefix).rpartition(":")[2])

    def requests(self, endpoint=None):
        """Returns the answered requests, all or those for one endpoint."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        requests = [json.loads(line) for line in lines]
        return [request for request in requests if endpoint in (None, request["endpoint"])]

    def caches(self):
        """Returns the remaining caches as (language, version, image). It does not work over TLS."""
        with urllib.request.urlopen(f"{self.url}/__control__/caches", timeout=TIMEOUT) as reply:
            caches = json.load(reply)["caches"]
        return [(cache["language"], cache["version"], cache["image_name"]) for cache in caches]

    def restart(self, node=0):
        """Forgets the tasks of a node, as a restart does."""
        fetch(f"{self.url}/__control__/restart?node={node}", "POST")

    def stop(self):
        self.service.stop()


class Run:
    """A run of the program, with its exit status and output."""

    def __init__(self, process):
        self.process = process
        self.words = process.args[1:]

    def end(self):
        self.stdout, self.stderr = self.process.communicate(timeout=4 * TIMEOUT)
        self.status = self.process.returncode
        return self

    def __repr__(self):
        return f"{self.words}: status {self.status}\n{self.stdout}\n{self.stderr}"


class Program:
    """The program under test, with only those variables in its environment that a test sets."""

    def __init__(self, home):
        self.home = home
        self.runs = []

    def start(self, *words, server=None, key="admin-key", hosts=None, streams=(), **environment):
        """Starts a run. Its output and errors go to the files `streams`, if there are any."""
        environment["HOME"] = str(self.home)
        if server:
            environment |= {"CONNECT_SERVER": server, "CONNECT_API_KEY": key}
        command = [os.environ["CONNECT_CACHE_BIN"], *map(str, words)]
        if hosts:
            command = with_hosts(hosts, command)
            environment["PATH"] = os.environ["PATH"]
        stdout, stderr = streams or (subprocess.PIPE, subprocess.PIPE)
        run = Run(
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                text=True,
                cwd=self.home,
                env={name: str(value) for name, value in environment.items()},
            )
        )
        self.runs.append(run)
        return run

    def __call__(self, *words, **environment):
        return self.start(*words, **environment).end()

    def stop(self):
        """Ends the runs that a failed test has left."""
        for run in self.runs:
            run.process.kill()
            run.process.wait()


def rsconnect(home, *words, **environment):
    """Runs rsconnect-python; returns its exit status, standard output and standard error."""
    return client(home, "rsconnect", *words, **environment)


def client(home, program, *words, **environment):
    """Runs another client; returns its exit status, standard output and standard error."""
    done = subprocess.run(
        [shutil.which(program), *map(str, words)],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **environment},
    )
    return done.returncode, done.stdout, done.stderr


def fetch(url, method="GET", body=None, key="admin-key"):
    """Sends a request, and returns the status and the JSON of the reply."""
    request = urllib.request.Request(url, method=method)
    request.add_header("Authorization", f"Key {key}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
