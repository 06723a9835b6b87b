"""The umlnet command, where an ordinary user can execute it, as itself and under a user's identity."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.support import world
from tests.support.case import HELPER, HostCase
from tests.support.guest import soon

BUILD = HELPER.parents[1]
NOBODY = 65534
TIMEOUT = 30  # seconds
# What `tests/users` calls nobodys-guests, and the ethertap that it leaves out.
POLICY = {
    "version": 1,
    "rules": [{"name": "nobodys-guests", "users": [NOBODY], "operations": ["tuntap", "address", "ethertap"],
               "gateways": ["10.99.0.0/16"], "guests": ["10.99.0.0/16"], "devices": ["tap7"]}],
}


def installed() -> tuple[Path, Path]:
    """The command and the program of its pump, in a directory that everybody may enter. The command finds the shared
    library relative to itself, as in the build directory."""
    target = world.test_bin() / "cli"
    for name in ("cli/umlnet", "libumlnet.so.1", "client/umlnet-pump"):
        copy = target / "libumlnet" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists():
            world.copy_program(BUILD / "libumlnet" / name, copy)
    return target / "libumlnet/cli/umlnet", target / "libumlnet/client/umlnet-pump"


class Running(subprocess.Popen[str]):
    """umlnet with pipes, in a session of its own; what is left of it is killed at the end of the `with`."""

    def say(self, text: str) -> None:
        assert self.stdin
        self.stdin.write(text)
        self.stdin.flush()

    def line(self) -> str:
        assert self.stdout
        return self.stdout.readline()

    def finish(self, text: str | None = None) -> tuple[int, str, str]:
        """The exit status, and the rest of stdout and stderr."""
        out, err = self.communicate(text, timeout=TIMEOUT)
        return self.returncode, out, err

    def __exit__(self, *details: Any) -> None:
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        super().__exit__(*details)


class CliCase(HostCase):
    """`user` is who calls umlnet: None is root, with a helper that is not set-user-ID."""

    tun_mode = 0o666
    user: int | None = None

    def setUp(self) -> None:
        super().setUp()
        self.umlnet, self.pump_program = installed()
        self.helper = world.helper_copy(HELPER, "setuid")
        world.write_policy(POLICY)
        self.before = world.snapshot()

    def command(self, subcommand: str, *words: str) -> list[str]:
        own = ["--helper", str(self.helper), "--pump-program", str(self.pump_program)]
        return [str(self.umlnet), subcommand, *own, *words]

    def start(self, subcommand: str, *words: str, **more: Any) -> Running:
        identity: dict[str, Any] = {}
        if self.user is not None:
            identity = {"user": self.user, "group": self.user, "extra_groups": []}
        options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return Running(self.command(subcommand, *words), text=True, start_new_session=True, cwd="/",
                       **{**options, **identity, **more})

    def run_to_end(self, subcommand: str, *words: str, **more: Any) -> tuple[int, str, str]:
        with self.start(subcommand, *words, **more) as running:
            return running.finish()

    def assert_nothing_left(self) -> None:
        """A helper's session may take a moment to undo itself."""
        if not soon(lambda: world.snapshot() == self.before):
            self.assertEqual(world.snapshot(), self.before)

    def pump_process(self, running: Running) -> int:
        (pid,) = [pid for pid, name in descendants(running.pid).items() if name == "umlnet-pump"]
        return pid

    def totals(self, out: str) -> dict[str, Any]:
        return json.loads(out.splitlines()[-1])


def descendants(pid: int) -> dict[int, str]:
    """The processes below that one, by name."""
    found: dict[int, str] = {}
    parents = [pid]
    while parents:
        parent = parents.pop()
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                name, _, rest = path.read_text().partition(" (")[2].rpartition(") ")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(rest.split()[1]) == parent:
                found[int(path.parent.name)] = name
                parents.append(int(path.parent.name))
    return found
