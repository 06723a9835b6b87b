"""What runs with the identity of the installation looks at nothing of the request but which descriptor it names and which kind
of call it is: whatever else the arguments say, the program makes the same system calls until it has become its caller."""

import os
import unittest
from typing import Any, Sequence

from tests.support import world
from tests.support.case import HELPER, HostCase
from tests.support.tracer import Stepper

NOBODY = 65534
SYS_SETRESUID = 117  # of x86-64
NAMED = 9
ONE_SHOT = (
    [], [""], ["x" * 100_000], ["4"] * 2000, ["0"], ["99999999999999999999"], ["bogus"], ["4"], ["5"], ["6"], ["gc"], ["gc", "x"],
    ["4", "slirp"], ["4", "tuntap", "up"], ["4", "tuntap", "up", "10.99.0.254"], ["4", "tuntap", "up", "bogus"],
    ["4", "del", "tap0", "10.50.0.7", "255.255.255.0"],
    ["5", "open", "netns=0"], ["5", "open", "netns=bogus"], ["5", "remove", "device=tap0"], ["5", "remove"], ["5", "bogus"],
    ["--br=br0"], ["--br=br0", "--fd=2"], ["--br=br0", "--fd=bogus"], ["--use-vnet", "--br=" + "x" * 4000],
)
# Which may end with an address that is announced on a LAN.
PUBLISHING = (
    ["4", "add", "tap0", "10.50.0.7", "255.255.255.0"], ["4", "add"], ["4", "tuntap", "add"], ["5", "open"],
    ["4", "tuntap", "add", "tap0", "10.50.0.7", "255.255.255.0"],
    ["5", "open", "device=tap5", "address=10.99.0.254/24", "guest=10.50.0.7", "guest=fd00::7", "mtu=9000", "persist", "vnet-hdr",
     "sealed", "anti-spoof", "guest-mac=52:54:00:aa:bb:cc", "bridge=br0", "isolated"],
    ["5", "open", *[f"guest=10.9.{n}.1" for n in range(200)]], ["5", "open", "=" * 5000],
)
NAMING = (
    ["--fd=9", "--br=br0"], ["--use-vnet", "--fd=9", "--br=bogus"], ["--bogus", "--fd=9"], ["--fd=9"],
    ["5", "open", "netns=9"], ["5", "open", "device=tap5", "bogus", "netns=9", "persist"],
)
SESSIONS = (["5", "session"], ["5", "session", "bogus"])
SEVERAL_QUEUES = tuple(["5", "open", *words] for words in (["queues=1"], ["queues=3"], ["queues=64"], ["queues=65"], ["queues="],
                                                            ["queues=bogus", "device=tap5", "queues=2"]))
ETHERTAP = (["4", "ethertap", "tap7", "9"], ["4", "ethertap", "tap7", "9", "10.99.0.254"], ["4", "ethertap", "", "9", "bogus"],
            ["4", "ethertap", "tap7", "9", "10.99.0.254", "bogus"])


class BeforeTheDrop(HostCase):
    tun_mode = 0o600

    def setUp(self) -> None:
        super().setUp()
        world.write_policy({"version": 1, "rules": [{"name": "all", "users": [NOBODY], "operations": ["tuntap"]}]})
        self.helper = world.helper_copy(HELPER, "setuid")
        self.calls(["gc"])  # the first one gives the count of refusals its length

    def calls(self, words: Sequence[str]) -> list[tuple[Any, ...]]:
        nowhere = os.open("/dev/null", os.O_RDWR)
        try:
            with Stepper([str(self.helper), *words], NOBODY, {0: nowhere, 1: nowhere, 2: nowhere, NAMED: nowhere}) as stepper:
                made = []
                for call in stepper:
                    # Of a path, what is before its end.
                    made.append(tuple(part.partition(b"\0")[0] if isinstance(part, bytes) and part[0] != 0 else part for part in call))
                    if call[0] == SYS_SETRESUID:
                        return made
        finally:
            os.close(nowhere)
        raise AssertionError(f"{words}: it never became its caller: {made}")

    def test_every_request_of_a_kind_begins_alike(self) -> None:
        for kind in (ONE_SHOT, PUBLISHING, NAMING, SESSIONS, SEVERAL_QUEUES, ETHERTAP):
            first = self.calls(kind[0])
            self.assertGreater(len(first), 20)
            for words in kind[1:]:
                with self.subTest(words=[word[:40] for word in words[:4]], like=kind[0][:3]):
                    self.assertEqual(self.calls(words), first)

    def test_a_named_descriptor_is_all_that_tells_two_kinds_apart(self) -> None:
        """It is looked at, and gets the number that it always has."""
        plain, naming = self.calls(["5", "remove"]), self.calls(["5", "open", f"netns={NAMED}"])
        more = list(naming)
        for call in plain:
            if call in more:
                more.remove(call)
        self.assertLessEqual(len(naming) - len(plain), 2, more)


if __name__ == "__main__":
    unittest.main()
