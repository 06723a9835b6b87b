"""What every test against a real kernel starts from."""

from __future__ import annotations

import json
import os
import unittest
from pathlib import Path
from typing import Any

import jsonschema

from tests.support import world

ROOT = Path(__file__).resolve().parents[2]
FILLER = b'{"filler":true}\n'  # what a test may put into the log itself
LOG_GROUP = 64999  # what an installation calls umlnet-log
HELPER = Path(os.environ.get("UMLNET_HELPER", ROOT / "build-tests" / "uml_net" / "uml_net"))


AUDIT_LINE = jsonschema.Draft202012Validator(json.loads((ROOT / "policy" / "audit.schema.json").read_text()))


class HostCase(unittest.TestCase):
    """An empty network, an empty audit log and no policy for each test; what it left is checked where it says so.
    Whatever stands in the audit log at the end keeps to the published schema."""

    maxDiff = None
    tun_mode = 0o600
    cut_lines = 0  # of the audit log, which the test has cut
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
        self.addCleanup(self.assert_log_keeps_to_the_schema)

    def assert_log_keeps_to_the_schema(self) -> None:
        if not world.LOG.is_file():
            return
        cut = 0
        for raw in world.LOG.read_bytes().splitlines(keepends=True):
            if raw == FILLER:
                continue
            self.assertTrue(raw.isascii() and len(raw) <= 4096, raw)
            if not raw.endswith(b"}\n"):
                cut += 1
                continue
            line = json.loads(raw)
            self.assertEqual([fault.message for fault in AUDIT_LINE.iter_errors(line)], [], line)
        self.assertEqual(cut, self.cut_lines)

    def events(self) -> list[tuple[str, str]]:
        return [(line["event"], line["stage"]) for line in world.audit_lines()]

    def assert_called_by(self, line: dict[str, Any], caller: dict[str, Any]) -> None:
        """The login, where this test runs in one, is its own; the helper is another process than this one."""
        login = {}
        for key in ("loginuid", "sessionid"):
            if (number := int(Path(f"/proc/self/{key}").read_text())) != 4294967295:
                login[key] = number
        self.assertNotIn(line["caller"]["helper_pid"], (0, os.getpid()))
        self.assertEqual(line["caller"], {**caller, **login, "helper_pid": line["caller"]["helper_pid"]})

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


class InstalledCase(HostCase):
    """With the helper and its log as one of the ways to install it leaves them."""

    how: str
    log: dict[str, int] = {}

    def setUp(self) -> None:
        super().setUp()
        self.helper = world.helper_copy(HELPER, self.how, LOG_GROUP)
        world.reset_log(**self.log)


class SetUserIdCase(InstalledCase):
    how = "setuid"


class FileCapabilityCase(InstalledCase):
    how = "filecap"
    log = {"mode": 0o660, "group": LOG_GROUP}
    tun_mode = 0o666
