"""`umlnet ls`: who holds what, from the kernel's state alone."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path
from typing import Any

from tests.support import bridge, caller, native, world
from tests.support.case import HELPER, HostCase
from tests.support.cli import NOBODY, installed
from tests.support.guest import soon

TUNSETPERSIST, TUNSETOWNER = 0x400454CB, 0x400454CC
MASK = "255.255.255.0"
POLICY = {"version": 1, "rules": [{"name": "nobodys-guests", "users": [NOBODY], "operations": ["tuntap", "address"],
                                   "gateways": ["10.99.0.0/16"], "guests": ["10.99.0.0/16", "10.50.0.0/24"],
                                   "lan": ["eth0"]}]}


class Ls(HostCase):
    def setUp(self) -> None:
        super().setUp()
        world.write_policy(POLICY)
        self.umlnet = str(installed()[0])
        self.helper = world.helper_copy(HELPER, "setuid")
        self.addCleanup(world.lan().close)

    def up(self, gate: str | None = None, user: int | None = NOBODY) -> caller.Reply:
        reply = caller.tuntap_up(self.helper, gate, user=user)
        self.addCleanup(reply.close)
        self.assertEqual(reply.exit, 0, reply)
        return reply

    def add(self, device: str, address: str, user: int | None = NOBODY) -> None:
        self.assertEqual(caller.framed(self.helper, "4", "add", device, address, MASK, user=user).exit, 0)

    def ls(self, *words: str, user: int | None = None, status: int = 0) -> str:
        identity: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        done = subprocess.run([self.umlnet, "ls", *words], capture_output=True, text=True, timeout=30,
                              env={**os.environ, "TZ": "UTC0"}, **identity)
        self.assertEqual(done.returncode, status, done)
        self.assertEqual(done.stderr == "", status == 0, done)
        return done.stdout

    def json(self, **more: Any) -> dict[str, Any]:
        return json.loads(self.ls("--json", **more))

    def test_nothing(self) -> None:
        self.assertIn("uml_net has nothing on this host", self.ls())
        self.assertEqual(self.json(), {"devices": [], "lans": [], "leftovers": []})

    def test_a_port_of_a_bridge(self) -> None:
        bridge.add_bridge()
        with bridge.ask(self.helper, user=None) as reply:
            self.assertEqual(reply.exit, 0)
            (device,) = self.json()["devices"]
            self.assertEqual((device["device"], device["bridge"], device["request"]), ("tap0", "br0", "bridge bridge=br0"))
            self.assertEqual(self.json()["lans"], [{"device": "br0", "addresses": ["10.60.0.1/24"]}])
            self.assertRegex(self.ls(), r"(?m)^tap0 +root +\S.* - +\(bridged\) +br0 ")
            self.assertIn("bridged", self.ls("--dot"))

    def test_what_is_special_about_a_device(self) -> None:
        bridge.add_bridge()
        native.opened(self.helper, "device=keep0", "persist").close()
        addresses = [f"address=fd00:99::{number}:1:2:3:4/128" for number in range(1, 17)]  # more than its mark has room for
        for options in (["bridge=br0", "isolated", "device=port0"], ["sealed", "device=shut0", *addresses]):
            self.addCleanup(native.opened(self.helper, *options).close)
        shown = {device["device"]: {key for key in ("persistent", "sealed", "isolated") if device[key]}
                 for device in self.json()["devices"]}
        self.assertEqual(shown, {"keep0": {"persistent"}, "port0": {"isolated"}, "shut0": {"sealed"}})
        for line in (r"keep0 \(persistent\) +root +- ", r"port0 \(isolated\) +root ", r"shut0 \(sealed\) +root +uml_net \d+ "):
            self.assertRegex(self.ls(), f"(?m)^{line}")

    def test_two_users(self) -> None:
        mine, roots = self.up("10.99.0.254"), self.up("10.98.0.254", user=None)
        self.add("tap1", "10.50.0.8", user=None)  # first: root's are published on every device that has the subnet
        self.add("tap0", "10.50.0.7")
        self.add("tap0", "10.99.0.1")
        # What the helper does not do yet, marked as it marks what it does.
        world.sh("ip", "addr", "add", "fd00:99::fe/64", "dev", "tap0")
        world.sh("ip", "-6", "route", "add", "fd00:99::1", "dev", "tap0", "proto", "117")
        world.sh("ip", "-6", "neigh", "add", "proxy", "fd00:99::1", "dev", "eth0", "protocol", "117")
        # And what is not its own.
        world.sh("ip", "tuntap", "add", "tap9", "mode", "tap")
        world.sh("ip", "neigh", "add", "proxy", "10.50.0.99", "dev", "eth0")
        os.write(mine.fds[0], bytes(60))

        before = world.snapshot()
        self.assertTrue(soon(lambda: self.json()["devices"][1]["rx"]["bytes"] == 60))
        shown = self.json()
        self.assertEqual(world.snapshot(), before)
        self.assertEqual(shown["leftovers"], [])
        self.assertEqual(shown["lans"], [{"device": "eth0", "addresses": ["10.50.0.1/24"]}])
        root, nobody = shown["devices"]
        self.assertEqual((root["device"], root["uid"], root["user"]), ("tap1", 0, "root"))
        self.assertEqual((nobody["device"], nobody["uid"], nobody["user"]), ("tap0", NOBODY, "nobody"))
        self.assertEqual(nobody["gateways"], ["10.99.0.254", "fd00:99::fe"])
        self.assertEqual(nobody["guests"], [{"address": "10.50.0.7", "lans": ["eth0"]}, {"address": "10.99.0.1", "lans": []},
                                            {"address": "fd00:99::1", "lans": ["eth0"]}])
        self.assertEqual((nobody["up"], nobody["queues"], nobody["rx"]["packets"]), (True, 1, 1))
        made = next(line for line in world.audit_lines() if line["result" if "result" in line else "stage"] != "intent")
        self.assertEqual(nobody["id"], made["id"])
        self.assertRegex(nobody["since"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        me = {"pid": os.getpid(), "uid": 0, "command": Path("/proc/self/comm").read_text().strip()}
        self.assertEqual((nobody["holders"], root["holders"]), ([me], [me]))
        # An ordinary user sees the same, but for other users' processes. One elsewhere is of a test beside this one.
        theirs = self.json(user=NOBODY)
        self.assertEqual([[holder for holder in device["holders"] if not holder.get("elsewhere")]
                          for device in theirs["devices"]], [[], []])
        for device in (*theirs["devices"], *shown["devices"]):
            device.pop("holders")
            device["tx"] = None
        self.assertEqual(theirs, shown)
        self.assertEqual(roots.name, "tap1")

        lines = self.ls().splitlines()
        self.assertRegex(lines[0], r"^DEVICE +USER +HOLDER +GATEWAY +GUESTS +LAN +RX/TX +SINCE$")
        self.assertRegex(lines[1], rf"^tap1 +root +\S+ {os.getpid()} +10\.98\.0\.254 +10\.50\.0\.8 +eth0 +\S+ +\d\d:\d\d:\d\d$")
        self.assertRegex(lines[2], rf"^tap0 +nobody +\S+ {os.getpid()} +10\.99\.0\.254 +10\.50\.0\.7 +eth0 +60/\S+ +\d\d:\d\d:\d\d$")
        self.assertRegex(lines[3], r"^ +fd00:99::fe +10\.99\.0\.1 +-$")
        self.assertRegex(lines[4], r"^ +fd00:99::1 +eth0$")
        self.assertEqual(len(lines), 5)

    def test_a_user_sees_the_own_holder(self) -> None:
        tap = self.up()
        with subprocess.Popen(["sleep", "60"], pass_fds=tap.fds, user=NOBODY, group=NOBODY, extra_groups=[]) as sleeping:
            try:
                tap.close()
                self.assertTrue(soon(lambda: self.json(user=NOBODY)["devices"][0]["holders"] ==
                                     [{"pid": sleeping.pid, "uid": NOBODY, "command": "sleep"}]))
                # The same process, seen from where its network is not.
                there = ["ip", "netns", "exec", next(name for name in os.listdir("/run/netns"))]
                self.assertEqual(json.loads(world.sh(*there, self.umlnet, "ls", "--json"))["devices"], [])
            finally:
                sleeping.kill()

    def test_what_is_left_behind_or_at_odds(self) -> None:
        left, given = self.up(), self.up()
        self.add("tap0", "10.50.0.7")
        self.add("tap1", "10.50.0.8")
        fcntl.ioctl(left.fds[0], TUNSETPERSIST, 1)
        left.close()
        fcntl.ioctl(given.fds[0], TUNSETOWNER, 4711)
        gone = self.up()
        self.assertEqual(gone.name, "tap0")  # each request removes what it finds

        shown = self.json()
        self.assertEqual([device["device"] for device in shown["devices"]], ["tap1", "tap0"])
        self.assertIn("gave it to uid 4711", shown["devices"][0]["leftover"]["why"])
        self.assertEqual(shown["devices"][0]["leftover"]["remedy"], "end its holder, or as root: ip link delete tap1")

        self.add("tap0", "10.50.0.9")
        fcntl.ioctl(gone.fds[0], TUNSETPERSIST, 1)
        gone.close()
        given.close()
        world.sh("ip", "route", "add", "10.77.0.1", "dev", "eth0", "proto", "117")
        shown = self.json(user=NOBODY)
        (device,) = shown["devices"]
        self.assertEqual((device["device"], device["queues"]), ("tap0", 0))
        self.assertEqual((device["leftover"]["why"], device["leftover"]["remedy"]),
                         ("made persistent, and nobody holds it open", "uml_net gc"))
        self.assertEqual({left["what"]: left["remedy"] for left in shown["leftovers"]},
                         {"10.50.0.8 published on eth0": "uml_net gc",
                          "route to 10.77.0.1 on eth0": "as root: ip route delete 10.77.0.1 dev eth0 proto 117"})
        table = self.ls()
        for words in ("tap0 (persistent) !", "Left behind, or at odds:", "device tap0: made persistent", "fix: uml_net gc"):
            self.assertIn(words, table)
        self.assertEqual(caller.run(self.helper, "gc", user=NOBODY).returncode, 0)
        world.sh("ip", "route", "delete", "10.77.0.1", "dev", "eth0", "proto", "117")
        self.assertEqual(self.json(), {"devices": [], "lans": [], "leftovers": []})

    def test_a_device_of_an_older_helper(self) -> None:
        self.up()
        alias = world.links()["tap0"]["ifalias"]
        world.sh("ip", "link", "set", "tap0", "alias", re.sub(r"since=\S+ ", "", alias))
        self.assertNotIn("since", self.json()["devices"][0])
        self.assertRegex(self.ls().splitlines()[1], r"^tap0 .* -$")

    @unittest.skipUnless(shutil.which("dot"), "dot is not installed (tests/support/install-packages test)")
    def test_a_picture(self) -> None:
        left = self.up("10.99.0.254")
        world.sh("ip", "link", "set", "tap0", "down")
        world.sh("ip", "link", "set", "tap0", "up", "name", 'a"<&>\\b')
        self.add('a"<&>\\b', "10.50.0.7")
        world.sh("ip", "route", "add", "10.77.0.1", "dev", "eth0", "proto", "117")
        done = subprocess.run(["dot", "-Tsvg"], input=self.ls("--dot"), capture_output=True, text=True, check=True)
        self.assertEqual(done.stderr, "")
        for words in (">nobody<", ">a&quot;&lt;&amp;&gt;\\b<", ">eth0<", ">10.50.0.1/24<", ">route to 10.77.0.1 on eth0<"):
            self.assertIn(words, done.stdout)
        self.assertEqual(left.name, "tap0")

    def test_a_command_line_that_is_wrong(self) -> None:
        for words in (("tap0",), ("--nonsense",), ("--json", "--dot")):
            self.assertEqual(self.ls(*words, status=64), "")


if __name__ == "__main__":
    unittest.main()
