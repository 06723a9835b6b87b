"""What all guests have in common: how they are started, talked to on their console, and ended, one way or the other."""

from __future__ import annotations

import os
import re
import selectors
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Self, Sequence

from tests.support.process import end_session

BOOT_TIMEOUT = 60  # seconds


class ConsoleGuest:
    """A guest whose init (tests/support/initrd.py) reads commands from the console. Use it in a `with`.

    `helper` is found as uml_net through PATH. `pass_fds` are the test's descriptors that the guest gets under their
    own numbers; the test closes its copies itself. `prefix` are the words of a program that starts the guest.
    """

    halt_command = "halt -f"

    def __init__(self, helper: Path | None, *, user: int | None, groups: Sequence[int],
                 on_output: Callable[[str], None] | None, pass_fds: Sequence[int], prefix: Sequence[str]) -> None:
        self.helper = helper
        self.user = user
        self.groups = list(groups)
        self.on_output = on_output
        self.pass_fds = list(pass_fds)
        self.prefix = list(prefix)
        self.output = ""
        self.directory = Path(tempfile.mkdtemp(prefix="umlnet-guest-"))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def own_command(self) -> list[str]:
        """The guest's words, without those of a program that starts it."""
        raise NotImplementedError

    @property
    def command(self) -> list[str]:
        return [*self.prefix, *self.own_command]

    def prepare(self) -> dict[str, str]:
        """Puts what the guest boots from into its directory; returns what it needs in the environment."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        try:
            self._start()
            self._wait_for(r"==ready==", BOOT_TIMEOUT)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        programs = self.directory / "bin"
        programs.mkdir()
        if self.helper is not None:
            # A link keeps the helper's set-user-ID bit and capability.
            (programs / "uml_net").symlink_to(self.helper)
        env = {"PATH": f"{programs}:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.directory),
               "TMPDIR": str(self.directory), **self.prepare()}
        identity: dict[str, Any] = {}
        if self.user is not None:
            identity = {"user": self.user, "group": self.user, "extra_groups": self.groups}
            for path in (self.directory, *self.directory.iterdir()):
                os.chown(path, self.user, self.user, follow_symlinks=False)
        # A session of its own, by which all of its processes on the host are known.
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env=env, start_new_session=True,
                                        pass_fds=self.pass_fds, **identity)

    def __exit__(self, *_: Any) -> None:
        self.kill()
        if self.process is not None and self.process.stdin and self.process.stdout:
            self.process.stdout.close()
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
        shutil.rmtree(self.directory, ignore_errors=True)

    def _read(self, seconds: float) -> bool:
        """Takes in what the console says within that time; False at its end."""
        assert self.process and self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                return True
        taken = os.read(self.process.stdout.fileno(), 65536)
        text = taken.decode(errors="replace").replace("\r", "")
        self.output += text
        if text and self.on_output:
            self.on_output(text)
        return bool(taken)

    def _wait_for(self, pattern: str, seconds: float, start: int = 0) -> re.Match[str]:
        deadline = time.monotonic() + seconds
        while True:
            if match := re.compile(pattern).search(self.output, start):
                return match
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no {pattern!r} from the guest in {seconds} s; its console:\n{self.output}")
            if not self._read(min(left, 1)):
                raise EOFError(f"the guest ended before {pattern!r}; its console:\n{self.output}")

    def _type(self, line: str) -> None:
        assert self.process and self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def run(self, command: str, timeout: float = 30) -> tuple[int, str]:
        """One line of shell in the guest: exit status and output."""
        start = len(self.output)
        self._type(command)
        match = self._wait_for(r"==done:(\d+)==", timeout, start)
        return int(match[1]), self.output[start:match.start()]

    def check(self, command: str, timeout: float = 30) -> str:
        status, output = self.run(command, timeout)
        assert status == 0, f"in the guest: {command}: exit {status}\n{output}"
        return output

    def pings(self, address: str, size: int = 56) -> bool:
        return self.run(f"ping -c 1 -W 2 -s {size} {address} || ping -c 2 -W 2 -s {size} {address}")[0] == 0

    def halt(self, timeout: float = 30) -> None:
        """A clean end from within."""
        assert self.process
        self._type(self.halt_command)
        deadline = time.monotonic() + timeout
        while self._read(0.2):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the guest does not halt; its console:\n{self.output}")
        self.process.wait(timeout=timeout)

    def kill(self) -> None:
        """SIGKILL for all of the guest's processes on the host, the program that started it among them, and for
        nothing else: its session is its own."""
        if self.process is not None:
            end_session(self.process.pid)
            self.process.wait()
