"""The example programs do what they are there to show: each guest answers pings, and leaves the host as it was."""

import signal
import unittest
from pathlib import Path

from tests.support import world
from tests.support.case import HELPER, HostCase
from tests.support.example import Example

BUILD = HELPER.parents[1] / "libumlnet"
NOBODY = 65534
GATE, GUEST = "10.99.0.254", "10.99.0.1"
SETUP = f"tuntap,,,{GATE}"
POLICY = {"version": 1, "rules": [{"name": "guests", "users": [NOBODY], "operations": ["tuntap", "address"],
                                   "gateways": ["10.99.0.0/16"], "guests": ["10.99.0.0/16"]}]}
# Root needs no rule to be served, and a deny rule binds it.
REFUSED_GUEST = "10.66.0.1"
REFUSAL = {"version": 1, "rules": [{"name": "not-these", "effect": "deny", "users": [0], "operations": ["address"],
                                    "guests": ["10.66.0.0/16"]}]}


class Examples(HostCase):
    tun_mode = 0o600

    def setUp(self) -> None:
        super().setUp()
        self.lan = world.lan()
        self.addCleanup(self.lan.close)
        self.before = world.snapshot()

    def assert_as_before(self) -> None:
        self.assertEqual(world.snapshot(), self.before)

    def operations(self) -> list[tuple[str, str]]:
        """What was carried out, in order, and for which address."""
        return [(line["request"]["operation"], line["request"].get("address", "")) for line in world.audit_lines()
                if line["stage"] == "result" and line["event"] == "accept"]

    def answers(self, program: Path, **more: object) -> None:
        with Example(program, SETUP, GUEST, **more) as running:  # type: ignore[arg-type]
            running.hear(f"{GUEST} routed to tap0")
            for size in (0, 56, 57, 1400):
                self.assertTrue(world.ping(GUEST, size), f"{size} bytes")
            self.assertEqual(running.end(), 0, running.said)
        self.assert_as_before()
        self.assertEqual(self.operations(), [("tuntap", ""), ("add", GUEST), ("del", GUEST)])

    def test_answer_in_c(self) -> None:
        self.answers(BUILD / "examples" / "answer")

    def test_answer_in_cpp(self) -> None:
        self.answers(BUILD / "examples" / "answer_cc")

    def test_answer_for_an_ordinary_user(self) -> None:
        helper = world.helper_copy(HELPER, "setuid")
        world.write_policy(POLICY)
        # Where the build is, another user may not come.
        place = helper.parent
        for name in ("examples/answer", "examples/answer_cc", "libumlnet.so.1"):
            world.copy_program(BUILD / name, place / Path(name).name)
        for name in ("answer", "answer_cc"):
            with self.subTest(name):
                world.reset_log()
                self.answers(place / name, helper=helper, user=NOBODY, library=place)

    def test_ethertap_and_the_lan(self) -> None:
        for name in ("answer", "answer_cc"):
            with self.subTest(name):
                with Example(BUILD / "examples" / name, "ethertap,tap7,,10.99.0.254", "10.50.0.7") as running:
                    running.hear("10.50.0.7 routed to tap7")
                    self.assertTrue(world.ping("10.50.0.7"))
                    self.assertTrue(self.lan.ping("10.50.0.7", 1400))
                    self.assertEqual(running.end(signal.SIGINT), 0, running.said)
                self.assert_as_before()

    def test_a_refusal_is_explained(self) -> None:
        world.write_policy(REFUSAL)
        for name in ("answer", "answer_cc"):
            for words, why in (((SETUP, REFUSED_GUEST), "rule not-these"),
                               (("tuntap,,,10.0.0", GUEST), "10.0.0"), (("slip", GUEST), "is no transport")):
                with self.subTest(name, words=words), Example(BUILD / "examples" / name, *words) as running:
                    self.assertEqual(running.wait(), 1)
                    self.assertIn(why, running.said)
        with Example(BUILD / "examples" / "answer", SETUP) as running:
            self.assertEqual(running.wait(), 64)
        self.assert_as_before()

    def test_a_device_that_is_taken_away(self) -> None:
        for name in ("answer", "answer_cc"):
            with self.subTest(name), Example(BUILD / "examples" / name, SETUP, GUEST) as running:
                running.hear(f"{GUEST} routed to tap0")
                world.sh("ip", "link", "delete", "tap0")
                self.assertEqual(running.wait(), 1, running.said)
                self.assertIn("UMLNET_CLOSED", running.said)
            self.assert_as_before()

    def two_guests(self) -> Example:
        return Example(BUILD / "examples" / "two_guests", SETUP, GUEST, "tuntap,,,10.98.0.254", "10.50.0.7")

    def test_two_guests(self) -> None:
        with self.two_guests() as running:
            running.hear("10.50.0.7 routed to tap1")
            for _ in range(3):
                for guest in (GUEST, "10.50.0.7"):
                    self.assertTrue(world.ping(guest), guest)
            self.assertTrue(self.lan.ping("10.50.0.7"))
            self.assertIn(f"{GUEST}: tap0 up with {GATE}/32", running.said)
            self.assertEqual(running.end(), 0, running.said)
        self.assert_as_before()
        self.assertEqual(self.operations(), [("tuntap", ""), ("add", GUEST), ("tuntap", ""), ("add", "10.50.0.7"),
                                             ("del", "10.50.0.7"), ("del", GUEST)])

    def test_two_queues(self) -> None:
        words = ("10.99.0.254/24", "fd00:99::1/64", GUEST)
        with Example(BUILD / "examples" / "two_queues", *words) as running:
            running.hear(f"tap0 up with 10.99.0.254/24, fd00:99::1/64\n{GUEST} routed to tap0\n")
            for size in (56, 1400):
                self.assertTrue(world.ping(GUEST, size))
            self.assertIn("inet6 fd00:99::1/64", world.sh("ip", "-6", "addr", "show", "dev", "tap0"))
            # tc of iproute2 7.3 names the filter, and then fails: its instructions are larger than the buffer.
            self.assertIn("bpf", world.sh("tc", "filter", "show", "dev", "tap0", "ingress", check=False))
            self.assertEqual(running.end(), 0, running.said)
        self.assert_as_before()
        self.assertEqual(self.operations(), [("open", "")])
        with Example(BUILD / "examples" / "two_queues", "10.99.0.254", "fd00::/200", GUEST) as running:
            self.assertEqual(running.wait(), 1)
            self.assertIn("address=fd00::/200 is not an IP address", running.said)

    def test_one_of_two_guests_loses_its_device(self) -> None:
        with self.two_guests() as running:
            running.hear("10.50.0.7 routed to tap1")
            world.sh("ip", "link", "delete", "tap0")
            running.hear(f"{GUEST}: the device tap0 failed")
            self.assertTrue(world.ping("10.50.0.7"))
            self.assertEqual(running.end(), 1, running.said)
        self.assert_as_before()

    def test_the_second_of_two_guests_is_refused(self) -> None:
        world.write_policy(REFUSAL)
        words = (SETUP, GUEST, "tuntap,,,10.98.0.254", REFUSED_GUEST)
        with Example(BUILD / "examples" / "two_guests", *words) as running:
            self.assertEqual(running.wait(), 1)
            self.assertIn(f"{REFUSED_GUEST}: ", running.said)
            self.assertIn("rule not-these", running.said)
        self.assert_as_before()


if __name__ == "__main__":
    unittest.main()
