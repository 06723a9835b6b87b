"""A real User-Mode Linux guest: started, talked to on its console, and ended, one way or the other."""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Sequence

from tests.support import initrd

LINUX = "/usr/bin/linux.uml"
BOOT_TIMEOUT = 60  # seconds
PATIENCE = 15  # seconds, for what follows the guest's doing
_shim: Path | None = None


def soon(condition: Callable[[], bool]) -> bool:
    """Whether the condition comes true in time."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _wide_xsave() -> Path | None:
    """The library that lets UML 6.1 run on this processor, where it has AMX; UMLNET_WIDE_XSAVE=1 forces it."""
    global _shim
    if "amx_tile" not in Path("/proc/cpuinfo").read_text() and os.environ.get("UMLNET_WIDE_XSAVE") != "1":
        return None
    if _shim is None:
        directory = Path(tempfile.mkdtemp(prefix="umlnet-shim-"))
        directory.chmod(0o755)
        source = Path(__file__).with_name("wide_xsave.c")
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", directory / "wide_xsave.so", source], check=True)
        _shim = directory / "wide_xsave.so"
    return _shim


class UmlGuest:
    """`nics` are the words of the kernel's command line (eth0=tuntap,,,10.99.0.254). Use it in a `with`."""

    def __init__(self, helper: Path, *nics: str, user: int | None = None, groups: Sequence[int] = (),
                 on_output: Any = None) -> None:
        self.helper = helper
        self.nics = nics
        self.user = user
        self.groups = list(groups)
        self.on_output = on_output
        self.output = ""
        self.directory = Path(tempfile.mkdtemp(prefix="umlnet-guest-"))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def command(self) -> list[str]:
        return [LINUX, "mem=64M", f"initrd={self.directory / 'initrd'}", f"uml_dir={self.directory}/", "umid=guest",
                "con=null", "con0=fd:0,fd:1", "quiet", *self.nics]

    def __enter__(self) -> "UmlGuest":
        initrd.build(self.directory / "initrd")
        # The kernel finds uml_net through PATH; a link keeps the helper's set-user-ID bit and capability.
        (self.directory / "bin").mkdir()
        (self.directory / "bin" / "uml_net").symlink_to(self.helper)
        env = {"PATH": f"{self.directory / 'bin'}:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.directory),
               "TMPDIR": str(self.directory)}
        if shim := _wide_xsave():
            env["LD_PRELOAD"] = str(shim)
        identity: dict[str, Any] = {}
        if self.user is not None:
            identity = {"user": self.user, "group": self.user, "extra_groups": self.groups}
            for path in (self.directory, *self.directory.iterdir()):
                os.chown(path, self.user, self.user, follow_symlinks=False)
        # A session of its own: UML is several host processes, and all of them end with the group.
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, env=env, start_new_session=True, **identity)
        try:
            self._wait_for(r"==ready==", BOOT_TIMEOUT)
        except BaseException:
            self.__exit__()
            raise
        return self

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

    def run(self, command: str, timeout: float = 30) -> tuple[int, str]:
        """One line of shell in the guest: exit status and output."""
        assert self.process and self.process.stdin
        start = len(self.output)
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
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
        assert self.process and self.process.stdin
        self.process.stdin.write(b"halt -f\n")
        self.process.stdin.flush()
        deadline = time.monotonic() + timeout
        while self._read(0.2):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the guest does not halt; its console:\n{self.output}")
        self.process.wait(timeout=timeout)

    def kill(self) -> None:
        """SIGKILL for all of the guest's processes on the host, and for nothing else: its session is its own."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
