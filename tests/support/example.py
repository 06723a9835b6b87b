"""An example program of libumlnet, started and stopped as a person would."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import IO, Any, Sequence

from tests.support.case import HELPER

LIBRARY = HELPER.parents[1] / "libumlnet"
TIMEOUT = 20  # seconds


class Example:
    """An example that runs; use it in a `with`. It explains itself on stderr, line by line."""

    def __init__(self, path: Path, *words: str, helper: Path | None = HELPER, user: int | None = None,
                 groups: Sequence[int] = (), library: Path = LIBRARY) -> None:
        """`library` is where libumlnet.so.1 is. Without a helper the program has the installed one."""
        identity: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": list(groups)}
        self.process = subprocess.Popen([str(path), *words, *([str(helper)] if helper else [])], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, "LD_LIBRARY_PATH": str(library)}, **identity)
        self.said = ""

    @property
    def stderr(self) -> IO[str]:
        assert self.process.stderr
        return self.process.stderr

    def hear(self, words: str) -> str:
        """Until it says so, or ends."""
        while words not in self.said:
            line = self.stderr.readline()
            if not line:
                raise AssertionError(f"it ended without {words!r}: {self.said}")
            self.said += line
        return self.said

    def end(self, number: int = signal.SIGTERM) -> int:
        """Its exit status, after a signal; what it says by then is in `said`."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        self.said += self.process.communicate(timeout=TIMEOUT)[1]
        return self.process.returncode

    def __enter__(self) -> "Example":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.stderr.close()
