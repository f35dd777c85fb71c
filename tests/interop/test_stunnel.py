"""stunnel, configured as docs/networks.md says, before a gateway that requires a client certificate."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from pki import Authority
from processes import TIMEOUT, in_namespace, nginx_command

NAME = "connect.example.com"
# The documented address of the gateway, and its address here.
DOCUMENTED, GATEWAY = "203.0.113.10", "127.0.0.2"
OUTPUT = "Deleting runtime cache...\nSuccessfully deleted runtime cache\n"

# Starts everything on a host of its own, on which the documented files and ports are free: HOST FOLDER COMMAND NGINX...
HOST = """\
set -eu
cd "$1"
command=$2
shift 2
ip link set lo up
mount --bind hosts /etc/hosts
mount --bind stunnel /etc/stunnel
connect-test-server --listen 127.0.0.1:3939 --ready ready >/dev/null &
"$@" &
nginx=$!
stunnel /etc/stunnel/connect.conf 2>stunnel.log &
stunnel=$!
until [ -s ready ] && [ -s nginx.pid ] && ss -Hltn sport = 80 | grep -q .; do
    kill -0 $stunnel || { cat stunnel.log >&2; exit 99; }
    sleep 0.02
done
status=0
eval "$command" || status=$?
# Once nginx has ended, its log is complete.
kill -QUIT $nginx
wait $nginx
exit $status
"""


def documented():
    """Returns the documented configuration of stunnel, the line of the hosts file, and the command."""
    page = (Path(__file__).parents[2] / "docs/networks.md").read_text()
    [section] = re.findall(r"^## Client certificates\n(.*?)^## ", page, re.M | re.S)
    configuration, hosts, command = re.findall(r"^```\w*\n(.*?)^```$", section, re.M | re.S)
    assert configuration.count(DOCUMENTED) == 1, configuration
    return configuration.replace(DOCUMENTED, GATEWAY), hosts, command.strip()


def virtual_host(authority, name, location):
    identity = authority.issue(name, names=[name])
    return f"""
  server {{
    listen {GATEWAY}:443 ssl;
    server_name {name};
    ssl_certificate {identity.chain};
    ssl_certificate_key {identity.key};
    ssl_verify_client on;
    ssl_client_certificate {authority.ca};
    access_log access.log hosts;
    location / {{ {location} }}
  }}
"""


@pytest.fixture
def host(tmp_path):
    """Runs a command on a host with stunnel, a gateway with two virtual hosts, and a test server."""
    for name in ("stunnel", "bin"):
        (tmp_path / name).mkdir()
    (tmp_path / "bin/connect-cache").symlink_to(os.environ["CONNECT_CACHE_BIN"])
    (tmp_path / "bin/connect-test-server").symlink_to(os.environ["CONNECT_TEST_SERVER_BIN"])

    authority = Authority(tmp_path / "stunnel", "ca")
    authority.issue("client", names=[])
    configuration, hosts, _ = documented()
    (tmp_path / "stunnel/connect.conf").write_text(configuration)
    (tmp_path / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}")
    servers = [
        "  log_format hosts '$ssl_server_name $http_host $ssl_client_verify $status';",
        # nginx takes the first one for all unknown names.
        virtual_host(authority, "other.example.com", "return 404;"),
        virtual_host(authority, NAME, "proxy_pass http://127.0.0.1:3939;"),
    ]
    nginx = nginx_command(tmp_path, "\n".join(servers))

    def run(command):
        """Returns the finished command, and for each request SNI, host, the check of the certificate and status."""
        own = ("--mount", "--net", "--pid", "--fork", "--kill-child")
        done = subprocess.run(
            in_namespace(*own, "sh", "-c", HOST, "sh", tmp_path, command, *nginx),
            check=False,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            env={
                "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
                "HOME": tmp_path,
                "CONNECT_API_KEY": "admin-key",
                # A proxy that does not exist: the documented command passes it by.
                "HTTP_PROXY": "http://127.0.0.1:1",
            },
        )
        log = tmp_path / "access.log"
        return done, log.read_text().splitlines() if log.exists() else []

    return run


def test_reaches_the_server_as_documented(host):
    check = documented()[2]
    done, log = host(f"{check} && {check.replace('check', 'delete -l R -V 4.3.0')}")
    assert done.returncode == 0, done.stderr
    assert "DELETE requests get through" in done.stdout and done.stdout.endswith(OUTPUT), done
    assert len(log) > 5, log
    assert {line.rpartition(" ")[0] for line in log} == {f"{NAME} {NAME} SUCCESS"}, log


def test_is_refused_by_another_virtual_host_without_the_line_in_the_hosts_file(host):
    done, log = host("connect-cache list --retries 0 -s http://localhost")
    assert done.returncode == 6, done.stderr
    assert log == [f"{NAME} localhost SUCCESS 421"], (done, log)


def test_is_pointed_to_stunnel_by_a_gateway_that_requires_a_client_certificate(host):
    direct = f"printf '{GATEWAY} {NAME}\\n' >direct; mount --bind direct /etc/hosts"
    done, log = host(f"{direct}; connect-cache list --retries 0 -c stunnel/ca.pem -s https://{NAME}")
    assert done.returncode == 6, done.stderr
    assert "client certificate" in done.stderr and "stunnel" in done.stderr, done
    assert log == [f"{NAME} {NAME} NONE 400"], log
