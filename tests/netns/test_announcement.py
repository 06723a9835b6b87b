"""A machine on the LAN that knew a guest's address by another MAC address finds the guest at once."""

import json
import os
import signal
import time
import unittest
from pathlib import Path

from tests.support import caller, ethertap, native, world
from tests.support.case import HELPER, LOG_GROUP, HostCase
from tests.support.guest import soon
from tests.support.process import announcers_of, processes_here

NOBODY = 65534
OLD = "02:00:00:00:00:99"
GUEST, GUEST6 = "10.50.0.7", "fd00:50::7"
POLICY = {"version": 1, "rules": [{"name": "g", "users": [NOBODY], "operations": ["tuntap", "ethertap", "address", "open"],
                                   "devices": ["tap*"], "gateways": ["10.99.0.0/16"], "guests": ["10.50.0.0/24", "10.88.0.0/24", "fd00:50::/64"],
                                   "lan": ["eth*"], "namespaces": True}]}
NOTE = "a machine on the LAN may need a minute to find a guest that moved: uml_net has no CAP_NET_RAW to announce it"


class Announcement(HostCase):
    tun_mode = 0o666

    def setUp(self) -> None:
        super().setUp()
        world.write_policy(POLICY)
        self.helper = world.helper_copy(HELPER, "setuid")
        self.lan = world.lan()
        self.addCleanup(self.lan.close)
        world.sh("ip", "addr", "add", "fd00:50::1/64", "dev", "eth0", "nodad")
        self.lan.run("ip", "addr", "add", "fd00:50::2/64", "dev", "eth0", "nodad")
        for device in ("all", "eth0"):
            Path(f"/proc/sys/net/ipv6/conf/{device}/forwarding").write_text("1")
        Path("/proc/sys/net/ipv6/conf/eth0/proxy_ndp").write_text("1")
        self.know_elsewhere()

    def know_elsewhere(self) -> None:
        for address in (GUEST, GUEST6):
            self.lan.run("ip", "neigh", "replace", address, "lladdr", OLD, "dev", "eth0", "nud", "reachable")

    def known(self, address: str) -> str:
        return next(entry["lladdr"] for entry in json.loads(self.lan.run("ip", "-j", "neigh", "show", address)))

    def assert_found(self, *addresses: str) -> None:
        ours = world.links()["eth0"]["address"]
        self.assertTrue(soon(lambda: {self.known(address) for address in addresses} == {ours}),
                        [self.known(address) for address in addresses])

    def test_a_device_with_guests_of_both_families(self) -> None:
        with native.opened(self.helper, f"guest={GUEST}", f"guest={GUEST6}", user=NOBODY) as answer:
            self.assertEqual(answer.json["notes"], [])
            self.assert_found(GUEST, GUEST6)
        self.assertTrue(soon(lambda: len(processes_here()) == 1), "the process that announces has ended")

    def test_the_older_ways_to_ask(self) -> None:
        with caller.tuntap_up(self.helper, "10.99.0.254", user=NOBODY):
            for words in (("add", "tap0"), ("tuntap", "add", "tap0")):
                with self.subTest(words):
                    self.know_elsewhere()
                    added = caller.framed(self.helper, "4", *words, GUEST, "255.255.255.0", user=NOBODY)
                    self.assertEqual((added.exit, added.text), (0, f"{GUEST} routed to tap0, published on eth0\n"))
                    self.assert_found(GUEST)
                    caller.framed(self.helper, "4", "del", "tap0", GUEST, "255.255.255.0", user=NOBODY)

    def test_in_sessions(self) -> None:
        with native.Session(self.helper, user=NOBODY) as session, session.ask("open", f"guest={GUEST}", f"guest={GUEST6}") as answer:
            self.assertEqual(answer.json["notes"], [])
            self.assert_found(GUEST, GUEST6)
        self.know_elsewhere()
        with ethertap.Session(self.helper, "tap7", "10.99.0.254", user=NOBODY) as session:
            self.assertEqual(session.ask(ethertap.ADD, GUEST), f"{GUEST} routed to tap7, published on eth0\n")
            self.assert_found(GUEST)

    def test_what_a_session_restores(self) -> None:
        with native.Session(self.helper, user=NOBODY) as session, session.ask("open", f"guest={GUEST}"):
            self.assert_found(GUEST)
            self.know_elsewhere()
            world.ip_batch("addr del 10.50.0.1/24 dev eth0", "addr add 10.50.0.1/24 dev eth0")
            self.assert_found(GUEST)

    def test_a_process_that_was_stopped_announces_nothing_of_the_past(self) -> None:
        with native.Session(self.helper, user=NOBODY) as session:
            (announcer,) = announcers_of(session.process.pid)
            os.kill(announcer, signal.SIGSTOP)
            with session.ask("open", f"guest={GUEST}") as answer:
                self.assertTrue(answer.ok, answer)
            time.sleep(1.5)
            os.kill(announcer, signal.SIGCONT)
            with session.ask("open", f"guest={GUEST6}") as answer:
                self.assertTrue(answer.ok, answer)
                self.assert_found(GUEST6)  # it goes on, and in order
            self.assertEqual(self.known(GUEST), OLD)

    def test_what_is_refused_or_not_published_is_not_announced(self) -> None:
        refused = native.call(self.helper, "open", f"guest={GUEST}", "guest=10.77.0.1", user=NOBODY)
        self.addCleanup(refused.close)
        self.assertFalse(refused.ok)
        with native.opened(self.helper, "guest=10.50.0.8", user=NOBODY):
            pass
        self.assertEqual([self.known(GUEST), self.known(GUEST6)], [OLD, OLD])

    def test_an_installation_that_cannot_says_so(self) -> None:
        helper = world.helper_copy(HELPER, "filecap", LOG_GROUP)
        world.reset_log(mode=0o660, group=LOG_GROUP)
        with native.opened(helper, f"guest={GUEST}", user=NOBODY) as answer:
            self.assertEqual(answer.json["notes"], [NOTE])
        with native.opened(helper, "guest=10.88.0.7", user=NOBODY) as answer:
            self.assertNotIn(NOTE, answer.json["notes"])  # it is published nowhere


if __name__ == "__main__":
    unittest.main()
