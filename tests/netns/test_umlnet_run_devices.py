"""`umlnet run --queues` and the like: what the helper is asked for in the native protocol, and what of it the command
gets. `umlnet remove`. The helper is one that does nothing."""

import os
import tempfile
import unittest
from pathlib import Path

from tests.support.cli import CliCase
from tests.support.native_helper import MADE, REFUSAL, FakeHelper

REMOVED = {"status": "ok", "id": "i", "device": "tap7", "removed": True, "fds": 0, "notes": []}
SHOW = ("printf", "%s\\n")
# Which of these numbers are open descriptors of the command's.
OPEN = ("sh", "-c", 'for fd in $(echo "$*" | tr , " "); do [ -e /proc/self/fd/$fd ] && echo "$fd open"; done', "sh")


class Asked(CliCase):
    def setUp(self) -> None:
        super().setUp()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.fake = FakeHelper(Path(directory.name))
        self.helper = self.fake.answering()

    def asks(self, *words: str, answer: dict[str, object] = {}, fds: int = 1) -> list[str]:
        """What the helper is asked for."""
        self.fake.answering([{**MADE, **answer}, fds])
        status, _, err = self.run_to_end("run", *words, "true", "{dev}")
        self.assertEqual(status, 0, err)
        (asked,) = self.fake.asked
        self.assertEqual(asked[:2], ["5", "open"])
        return asked[2:]

    def refused(self, status: int, why: str, *words: str) -> None:
        self.fake.answering()
        got, out, err = self.run_to_end("run", *words)
        self.assertEqual((got, out), (status, ""), err)
        self.assertIn(why, err)
        self.assertEqual(self.fake.asked, [])

    def test_each_option(self) -> None:
        two = {"queues": 2, "fds": 2}
        for words, answer, asked in (
                (["--net", "tap"], {}, []),
                (["--device", "tap7"], {}, ["device=tap7"]),
                (["--ip", "10.99.0.254/24", "--ip6", "fd00:99::1/64", "--ip", "10.98.0.1"], {},
                 ["address=10.99.0.254/24", "address=fd00:99::1/64", "address=10.98.0.1/32"]),
                (["--guest", "10.50.0.7", "--guest", "fd00::7"], {}, ["guest=10.50.0.7", "guest=fd00::7"]),
                (["--queues", "2"], two, ["queues=2"]),
                (["--vnet-hdr"], {"vnet_hdr": True}, ["vnet-hdr"]),
                (["--bridge", "br0", "--isolated"], {}, ["bridge=br0", "isolated"]),
                (["--mtu", "9000", "--mac", "2:0:0:0:0:1"], {}, ["mtu=9000", "mac=02:00:00:00:00:01"]),
                (["--persist", "--device", "tap7"], {}, ["device=tap7", "persist"]),
                (["--persist", "--device", "tap7", "--owner", "nobody"], {}, ["device=tap7", "owner=65534", "persist"]),
                (["--persist", "--device", "tap7", "--owner", ":nogroup"], {}, ["device=tap7", "owner=:65534", "persist"]),
                (["--persist", "--device", "tap7", "--owner", ":7"], {}, ["device=tap7", "owner=:7", "persist"]),
                (["--guest", "10.51.7.0/24", "--guest", "fd00:7::/48"], {}, ["guest=10.51.7.0/24", "guest=fd00:7::/48"]),
                (["--sealed"], {"sealed": True}, ["sealed"]),
                (["--anti-spoof", "--guest-mac", "52:54:0:0:0:1", "--guest-mac", "52:54:0:0:0:2", "--guest", "10.0.0.1"], {},
                 ["guest=10.0.0.1", "guest-mac=52:54:00:00:00:01", "guest-mac=52:54:00:00:00:02", "anti-spoof"]),
                (["--anti-spoof", "--guest-mac", "52:54:0:0:0:1", "--guest", "10.0.0.1"], {},
                 ["guest=10.0.0.1", "guest-mac=52:54:00:00:00:01", "anti-spoof"])):
            with self.subTest(words=words):
                self.assertEqual(self.asks(*words, answer=answer, fds=int(answer.get("fds", 1))), asked)

    def test_a_network_namespace_by_a_process_of_it_or_its_path(self) -> None:
        asked = ["netns=3", os.stat("/proc/self/ns/net").st_ino]
        for words in (["--netns", "/proc/self/ns/net"], ["--netns", str(os.getpid())]):
            self.assertEqual(self.asks(*words, answer={"netns": True}), asked)
        self.refused(66, "cannot open the network namespace nowhere", "--netns", "nowhere", "true")

    def test_an_owner_that_is_none(self) -> None:
        for owner, words in (("no-such-user", "there is no such user; for a group, write :GROUP"), (":no-such-group", "no such group")):
            self.refused(67, words, "--owner", owner, "true")

    def test_gateway_address_and_the_setup_string_mean_the_same(self) -> None:
        asked = ["address=10.99.0.254/32", "guest=10.99.0.1", "vnet-hdr"]
        for net in (["--gateway", "10.99.0.254"], ["--net", "tuntap,,,10.99.0.254"]):
            self.assertEqual(self.asks(*net, "--address", "10.99.0.1", "--vnet-hdr", answer={"vnet_hdr": True}), asked)
        self.assertEqual(self.asks("--net", "tuntap,,fe:fd:0:0:0:1", "-a", "10.99.0.1", "--anti-spoof"),
                         ["guest=10.99.0.1", "guest-mac=fe:fd:00:00:00:01", "anti-spoof"])

    def test_options_are_of_the_network_before_them(self) -> None:
        self.fake.answering([{**MADE, "device": "tap1"}, 1])
        words = ("--net", "tap", "--ip", "10.0.0.1", "--net", "tap:none", "--", *SHOW, "{dev}", "{dev1}")
        status, out, err = self.run_to_end("run", *words)
        self.assertEqual((status, out), (69, ""), err)  # the second is not there
        self.assertEqual(self.fake.asked, [["5", "open", "address=10.0.0.1/32"]])

    def test_the_command_gets_all_descriptors(self) -> None:
        self.fake.answering([{**MADE, "queues": 3, "fds": 3}, 3])
        status, out, err = self.run_to_end("run", "--queues", "3", "--", *SHOW, "fds={fds}", "[{fds,}]", "{fds0}{fdss}", "{dev}")
        self.assertEqual(status, 0, err)
        fds, listed, braces, device = out.splitlines()
        numbers = fds.removeprefix("fds=").split(":")
        self.assertEqual((len(set(numbers)), listed), (3, f"[{','.join(numbers)}]"))
        self.assertEqual((braces, device), ("{fds0}{fdss}", "tap7"))
        self.assertEqual(err, "tap7 up\n")
        self.fake.answering([{**MADE, "queues": 3, "fds": 3}, 3])
        status, out, err = self.run_to_end("run", "--queues", "3", "--", *OPEN, "{fds,}")
        self.assertEqual((status, out), (0, "".join(f"{number} open\n" for number in numbers)), err)

    def test_one_descriptor_by_either_name_and_of_the_second_network(self) -> None:
        self.fake.answering([MADE, 1])
        status, out, err = self.run_to_end("run", "--net", "tap", "--", *SHOW, "{fd}", "{fds}")
        self.assertEqual(status, 0, err)
        self.assertEqual(len(set(out.split())), 1)

    def test_a_persistent_device_is_free_for_the_command_to_attach_to(self) -> None:
        for words, left in ((("{dev}",), []), (("{dev}", "{fd}"), ["open"]), ((), [])):
            self.fake.answering([{**MADE, "persistent": True}, 1])
            status, out, err = self.run_to_end("run", "--persist", "--device", "tap7", "--", "sh", "-c",
                                               "for fd in /proc/self/fd/*; do readlink $fd; done; :", *words)
            self.assertEqual(status, 0, err)
            self.assertEqual(["open" for line in out.splitlines() if line == "/dev/null"], left)
            self.assertEqual(err, "tap7 up\ntap7 stays until it is removed\n")

    def test_what_does_not_go_together_is_said_before_anybody_is_asked(self) -> None:
        for status, why, words in (
                (64, "{fd} in \"x{fd}\" is one descriptor", ("--queues", "2", "echo", "x{fd}")),
                (64, "{fds1} in \"{fds1}\": 1 was asked for", ("--queues", "2", "echo", "{fds1}")),
                (64, "--as stream and --as dgram are one socket", ("--queues", "2", "--as", "dgram", "echo", "{fd}")),
                (64, "--vnet-hdr asks uml_net for a new device, and tuntap,tap3 is another network",
                 ("--net", "tuntap,tap3", "--vnet-hdr", "true")),
                (64, "ethertap,tap3 is another network", ("--net", "ethertap,tap3", "--mtu", "1400", "true")),
                (64, "tap:tap3 is another network", ("--net", "tap:tap3", "--sealed", "true")),
                (64, "10.0.0.1/24 has a length", ("--sealed", "--address", "10.0.0.1/24", "true")),
                (64, "--bridge has an empty value", ("--bridge", "", "true")),
                (65, "--queues 0: it is a number from 1 on", ("--queues", "0", "true")),
                (65, "--ip fd00::1: it is not an IPv4 address", ("--ip", "fd00::1", "true")),
                (65, "--ip6 10.0.0.1: it is not an IPv6 address", ("--ip6", "10.0.0.1", "true")),
                (65, "queues=65 is not a number from 1 to 64", ("--queues", "65", "true")),
                (65, "sealed does not go with queues=", ("--queues", "2", "--sealed", "true"))):
            with self.subTest(why):
                self.refused(status, why, *words)

    def test_a_refusal_and_its_advice(self) -> None:
        self.fake.answering(REFUSAL, status=77)
        status, out, err = self.run_to_end("run", "--device", "tap7", "--", "echo", "{fd}")
        self.assertEqual((status, out), (77, ""))
        self.assertEqual(err, "umlnet run: cannot open tap7: no rule allows this\nAsk the administrator.\n")

    def test_remove(self) -> None:
        self.fake.answering(REMOVED)
        self.assertEqual(self.run_remove("tap7"), (0, "", "tap7 removed\n"))
        self.assertEqual(self.fake.asked, [["5", "remove", "device=tap7"]])
        self.fake.answering(REMOVED)
        self.assertEqual(self.run_remove("-q", "tap7"), (0, "", ""))
        refusal = {**REFUSAL, "code": "no_such_device", "error": "there is no device tap8 that uml_net made for you"}
        self.fake.answering(refusal, status=66)
        status, _, err = self.run_remove("tap8")
        self.assertEqual(status, 66)
        self.assertIn("umlnet remove: cannot remove tap8: there is no device tap8", err)
        self.assertEqual(self.run_remove("a b")[0], 65)
        self.assertEqual(self.run_remove()[0], 64)

    def run_remove(self, *words: str) -> tuple[int, str, str]:
        with self.start("remove", *words) as running:
            return running.finish()

    def command(self, subcommand: str, *words: str) -> list[str]:
        if subcommand != "remove":
            return super().command(subcommand, *words)
        return [str(self.umlnet), "remove", "--helper", str(self.helper), *words]


if __name__ == "__main__":
    unittest.main()
