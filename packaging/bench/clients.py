"""The clients, the floor, and what each needs on the disk."""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from server import TOOLS

HERE = Path(__file__).resolve().parent
BINARY = HERE.parent.parent / "dist" / "connect-cache"
CACHE = ("R", "4.0.0", "Local")


class Client(NamedTuple):
    """A client's commands: each is a list of words."""

    name: str
    list: list
    delete: list
    purge: list
    # The most caches that it purges here. rsconnect and posit-cli start a process for each.
    purge_limit: int = 1_000_000


class Floor(NamedTuple):
    """The least program that does the main job: the limit of the clients, not one of them."""

    name: str
    delete: list


def flags(*words):
    language, version, image = CACHE
    return [*words, "-l", language, "-V", version, "-I", image]


def rsconnect(name, program):
    caches = [*program, "system", "caches"]
    return Client(name, [*caches, "list"], flags(*caches, "delete"), [HERE / "clients/rsconnect.sh", *program], 100)


SDK = [f"{TOOLS}/posit-sdk/bin/python", HERE / "clients/posit-sdk.py"]
RSCONNECT = [f"{TOOLS}/rsconnect/bin/rsconnect"]
POSIT = [f"{TOOLS}/posit-cli/bin/posit", "connect"]
CURL = ["bash", HERE / "clients/curl.sh"]
CLIENTS = [
    Client("connect-cache", [BINARY, "list"], flags(BINARY, "delete"), [BINARY, "purge", "--all", "--yes"]),
    Client("curl, jq", [*CURL, "list"], [*CURL, "delete", *CACHE], [*CURL, "purge"]),
    Client("posit-sdk", [*SDK, "list"], [*SDK, "delete", *CACHE], [*SDK, "purge"]),
    rsconnect("rsconnect", RSCONNECT),
    rsconnect("posit-cli", POSIT),
]
FLOOR = Floor("floor", flags(f"{TOOLS}/floor"))


def output(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def debian_kib(*packages):
    """Returns the KiB that Debian's packages and their dependencies install on an empty host."""
    words = ["-o", "Dir::State::status=/dev/null", "install", "--simulate", "--no-install-recommends"]
    names = re.findall(r"^Inst (\S+)", output("apt-get", *words, *packages), re.MULTILINE)
    shown = output("apt-cache", "show", "--no-all-versions", *names)
    return sum(map(int, re.findall(r"^Installed-Size: (\d+)", shown, re.MULTILINE)))


def environment_kib(environment):
    """Returns the KiB of a virtual environment, which links to Debian's Python."""
    files = (file for file in (TOOLS / environment).rglob("*") if file.is_file() and not file.is_symlink())
    return sum(file.stat().st_size for file in files if file.suffix != ".pyc") // 1024


def installed_kib():
    """Returns the KiB of each client with everything that it needs on an empty Debian host."""
    python = debian_kib("python3")
    return {
        "connect-cache": BINARY.stat().st_size // 1024,
        "curl, jq": debian_kib("curl", "jq", "bash"),
        "posit-sdk": environment_kib("posit-sdk") + python,
        "rsconnect": environment_kib("rsconnect") + python,
        "posit-cli": environment_kib("posit-cli") + python,
        "floor": (TOOLS / "floor").stat().st_size // 1024,
    }


def versions():
    """Returns the version of each client in one sentence."""
    first = lambda *words: output(*words).split("\n")[0]
    package = lambda environment, name: first(
        TOOLS / environment / "bin/python", "-c", f"from importlib.metadata import version; print(version({name!r}))"
    )
    return ", ".join(
        [
            first(BINARY, "--version"),
            "curl " + first("curl", "--version").split()[1],
            first("jq", "--version").replace("-", " ", 1),
            "posit-sdk " + package("posit-sdk", "posit-sdk"),
            "rsconnect-python " + package("rsconnect", "rsconnect-python"),
            "posit-cli " + package("posit-cli", "posit-cli"),
            first(TOOLS / "rsconnect/bin/python", "--version"),
        ]
    )
