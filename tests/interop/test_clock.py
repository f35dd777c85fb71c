"""A clock that jumps while the program runs, by libfaketime."""

import glob
import os
import time

import pytest


def test_follows_a_task_while_the_clock_jumps(program, connect, tmp_path):
    [library] = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    if b"ld-linux" not in open(os.environ["CONNECT_CACHE_BIN"], "rb").read(4096):
        pytest.skip("a static program cannot load libfaketime")
    server, offset = connect("--task-seconds", "4"), tmp_path / "offset"
    offset.write_text("+0")
    environment = {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": offset, "FAKETIME_NO_CACHE": 1}
    environment |= {"FAKETIME_DONT_FAKE_MONOTONIC": 1}
    run = program.start("delete", "-l", "R", "-V", "4.3.0", "--timeout", "60", server=server.url, **environment)
    for years in ("+10y", "-20y", "+0"):
        time.sleep(1)
        assert run.process.poll() is None, "the task has ended before the clock jumped"
        offset.write_text(years)
    run.end()
    assert run.status == 0, run
    assert run.stdout == "Deleting runtime cache...\nSuccessfully deleted runtime cache\n", run
    # The time in the last line is that of the steady clock.
    assert "deleted R 4.3.0 Local in " in run.stderr and " h " not in run.stderr, run
