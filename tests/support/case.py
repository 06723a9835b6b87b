"""What every test against a real kernel starts from."""

from __future__ import annotations

import os
import unittest
from pathlib import Path
from typing import Any

from tests.support import world

ROOT = Path(__file__).resolve().parents[2]
HELPER = Path(os.environ.get("UMLNET_HELPER", ROOT / "build" / "uml_net" / "uml_net"))


class HostCase(unittest.TestCase):
    """An empty network, an empty audit log and no policy for each test; what it left is checked where it says so."""

    maxDiff = None
    tun_mode = 0o600
    _entered: int | None = None

    @classmethod
    def setUpClass(cls) -> None:
        if HostCase._entered is None:
            world.enter(cls.tun_mode)
            HostCase._entered = cls.tun_mode
        world.TUN.chmod(cls.tun_mode)

    def setUp(self) -> None:
        world.fresh_network()
        world.remove_policy()
        world.reset_log()

    def events(self) -> list[tuple[str, str]]:
        return [(line["event"], line["stage"]) for line in world.audit_lines()]

    def last_line(self) -> dict[str, Any]:
        return world.audit_lines()[-1]

    def assert_refused(self, reply: Any, exit_status: int, *words: str) -> None:
        """A clear line, the exit status, no fd."""
        self.assertEqual(reply.exit, exit_status, reply)
        self.assertEqual(reply.fds, [])
        said = reply.text if reply.data else reply.stderr
        for word in words:
            self.assertIn(word, said)
        self.assertTrue(said.startswith("uml_net: "), said)
        self.assertTrue(said.endswith("\n"), said)
