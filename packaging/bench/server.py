"""Test servers, and the environment of their clients."""

import json
import os
import ssl
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

TOOLS = Path(os.environ["TOOLS"])


class Server:
    """A test server over HTTP or TLS that keeps its caches, so that each can be deleted again and again."""

    def __init__(self, tls=True, caches=1, lines=2, seconds=0):
        self.folder = tempfile.TemporaryDirectory()
        self.ca = Path(self.folder.name, "ca.pem") if tls else None
        ready = Path(self.folder.name, "ready")
        words = [os.environ["SERVER"], "--keep", "--ready", ready, "--lines", lines, "--task-seconds", seconds]
        words += ["--tls", self.folder.name] if tls else []
        words += [word for number in range(caches) for word in ("--cache", f"R,4.0.{number},Local")]
        self.process = subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL)
        while not ready.exists():
            assert self.process.poll() is None, "the test server ended"
            time.sleep(0.01)
        self.url = ready.read_text().split()[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    @property
    def environment(self):
        """The variables of a client: each reads those of its own."""
        trust = ("CONNECT_CA_CERTIFICATE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
        return {
            "PATH": os.environ["PATH"],
            "HOME": self.folder.name,
            "LANG": "C.UTF-8",
            "CONNECT_SERVER": self.url,
            "CONNECT_API_KEY": "admin-key",
            **({name: str(self.ca) for name in trust} if self.ca else {}),
        }

    def ask(self, what):
        """Returns the server's record of its requests or tasks."""
        context = ssl.create_default_context(cafile=self.ca) if self.ca else None
        with urllib.request.urlopen(f"{self.url}/__control__/{what}", context=context) as reply:
            return json.load(reply)[what]
