"""libumlnet asks the real helper in the native protocol, in a host program that is this one and in one of an ordinary
user."""

import errno
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import unittest
from pathlib import Path

from tests.netns.test_libumlnet import HostProgram
from tests.support import libumlnet, userns, world
from tests.support.bridge import add_bridge, flags_of, ports
from tests.support.case import HELPER, ROOT
from tests.support.guest import soon
from tests.support.libumlnet import CLOSED, REFUSED, SYSTEM, Device, Session
from tests.support.process import command_line, processes_here, status_of
from tests.support.pump import Pump, end, pair
from tests.support.responder import Responder

NOBODY = 65534
DGRAM = 4  # umlnet_framing
MULTI_QUEUE, VNET_HDR = 0x100, 0x4000
GUEST_MAC = "02:50:4e:00:00:01"  # the responder's
# Root needs no rule to be served, and a deny rule binds it.
DENY = {"version": 1, "rules": [{"name": "not-these", "effect": "deny", "users": [0], "operations": ["open"],
                                 "guests": ["10.66.0.0/16"]}]}
GRANT = {"version": 1, "rules": [{"name": "nobodys", "users": [NOBODY], "operations": ["open"],
                                  "gateways": ["10.99.0.0/16", "fd00:99::/64"], "guests": ["10.99.0.0/16", "fd00:99::/64"],
                                  "devices": ["nob*"], "max_queues": 2}]}


def devices() -> set[str]:
    """Of this network namespace, asked for without another process."""
    return {name for _, name in socket.if_nameindex()}


def first_session_process() -> int:
    """The one that was started; others of a session are its children."""
    found = {pid for pid in processes_here() if command_line(pid)[-2:] == ["5", "session"]
             and command_line(pid)[-3].endswith("uml_net")}
    (first,) = [pid for pid in found if int(status_of(pid)["PPid"]) not in found]
    return first


class Client(HostProgram):
    def setUp(self) -> None:
        super().setUp()
        world.write_policy(DENY)

    def assert_as_before(self) -> None:
        """A relay may take a moment to end."""
        if not soon(lambda: world.snapshot() == self.before):
            self.assertEqual(world.snapshot(), self.before)


class OneCall(Client):
    def test_two_queues_ipv6_and_a_guard_in_one_call(self) -> None:
        wanted = {"device": "nob0", "addresses": ["10.99.0.254/24", "fd00:99::1/64"], "guests": ["10.99.0.1", "fd00:99::7"],
                  "guest_mac": GUEST_MAC, "mtu": 1400, "mac": "02:00:00:00:00:77", "queues": 2, "anti_spoof": 1}
        with self.unnoticed():
            Device(**wanted).__exit__()
        with Device(**wanted) as device:
            link = world.links()["nob0"]
            info = device.info
            self.assertEqual((device.name, info.ifindex, bytes(info.mac).hex(":"), info.mtu),
                             ("nob0", link["ifindex"], link["address"], link["mtu"]))
            self.assertEqual((link["address"], link["mtu"]), ("02:00:00:00:00:77", 1400))
            self.assertEqual(device.addresses, ["10.99.0.254/24", "fd00:99::1/64"])
            self.assertEqual(device.guests, {"10.99.0.1": [], "fd00:99::7": []})
            self.assertEqual([(name, flags & MULTI_QUEUE) for name, flags in map(flags_of, device.fds)],
                             [("nob0", MULTI_QUEUE)] * 2)
            self.assertEqual(device.info.id.decode(), self.last_line()["id"])
            self.assertTrue(device.notes[0].startswith("nob0 up with 10.99.0.254/24, fd00:99::1/64\n"), device.notes)
            mine = device.take(0)
        self.assertIn("nob0", devices())
        os.close(mine)
        self.assert_as_before()

    def test_a_refusal_leaves_nothing(self) -> None:
        with self.unnoticed():
            failed = self.fails(REFUSED, lambda: Device(guests=["10.66.0.1"]), "rule not-these")
            self.assertEqual(failed.exit_status, 77)
            self.fails(REFUSED, lambda: Device(bridge="br7"), "there is no bridge br7")
        self.assert_as_before()

    def test_published_on_the_lan(self) -> None:
        lan = world.lan()
        self.addCleanup(lan.close)
        before = world.snapshot()
        with Device(guests=["10.50.0.7"]) as device:
            self.assertEqual(device.guests, {"10.50.0.7": ["eth0"]})
            self.assertIn(f"10.50.0.7 routed to {device.name}, published on eth0\n", device.notes[0])
        Device(addresses=["10.99.0.254"]).__exit__()  # whatever comes next takes back what is left
        self.assertEqual(world.snapshot(), before)

    def test_a_port_of_a_bridge(self) -> None:
        add_bridge()
        with Device(bridge="br0", isolated=1, vnet_hdr=1) as device:
            self.assertIn(device.name, ports())
            self.assertEqual((device.info.bridge, device.info.isolated, flags_of(device.fds[0])[1] & VNET_HDR),
                             (b"br0", 1, VNET_HDR))

    def test_in_a_network_namespace(self) -> None:
        userns.require(os.getuid())
        with subprocess.Popen(["unshare", "--user", "--map-root-user", "--net", "sh", "-c", "echo; read x"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
            assert program.stdout
            program.stdout.readline()
            inside = ["nsenter", "-t", str(program.pid), "--user", "--net", "--preserve-credentials"]
            namespace = os.open(f"/proc/{program.pid}/ns/net", os.O_RDONLY)
            self.addCleanup(os.close, namespace)
            with Device(device="there0", addresses=["10.99.0.254/24"], netns=namespace) as device:
                self.assertEqual(device.info.in_netns, 1)
                self.assertNotIn("there0", devices())
                self.assertIn("10.99.0.254/24", world.sh(*inside, "ip", "addr", "show", "dev", "there0"))
        self.assert_as_before()

    def test_persistent_until_it_is_removed(self) -> None:
        with self.unnoticed():
            Device(device="stays0", persistent=1).__exit__()
            self.assertIn("stays0", devices())
            self.assertEqual(libumlnet.remove("stays0"), ["stays0 removed\n"])
            self.assertEqual(self.fails(REFUSED, lambda: libumlnet.remove("stays0"), "stays0").exit_status, 66)
        self.assert_as_before()

    def test_a_sealed_device_as_an_end_of_a_pump(self) -> None:
        ours, theirs = pair(socket.SOCK_DGRAM)
        with ours, theirs, Responder(ours, "10.99.0.1"):
            with Device(addresses=["10.99.0.254/24"], sealed=1) as device:
                self.assertEqual(len(device.fds), 1)
                with Pump(end(DGRAM, device.fds[0]), end(DGRAM, theirs.fileno())).start():
                    for size in (56, 1400):
                        self.assertTrue(world.ping("10.99.0.1", size))
        self.assert_as_before()


class Sessions(Client):
    def test_what_a_session_made_goes_with_it(self) -> None:
        with self.unnoticed():
            with Session() as session:
                with session.open(device="one0", addresses=["10.99.0.254/24"], queues=2) as one, session.open() as two:
                    session.open(device="stays0", persistent=1).__exit__()
                    self.assertEqual({one.name, two.name} - devices(), set())
                    self.fails(REFUSED, lambda: session.open(guests=["10.66.0.1"]), "rule not-these")
                    session.remove(two.name)
                    self.assertNotIn(two.name, devices())
                    session.close()
                    self.assertNotIn("one0", devices())
                    with self.assertRaises(OSError):
                        os.read(one.fds[0], 2000)  # EBADFD
                self.fails(CLOSED, session.open)
            libumlnet.remove("stays0")
        self.assert_as_before()

    def test_the_death_of_the_host_program_ends_it(self) -> None:
        script = ("import sys; from tests.support.libumlnet import Session; s = Session(sys.argv[1]); d = s.open(device='one0'); "
                  "d.take(0); print('ready', flush=True); sys.stdin.read()")
        with subprocess.Popen([sys.executable, "-c", script, str(HELPER)], cwd=ROOT, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout
            self.assertEqual(program.stdout.readline(), "ready\n")
            self.assertIn("one0", devices())
            program.kill()
        self.assert_as_before()

    def test_the_end_of_the_helper_is_noticed(self) -> None:
        with self.unnoticed(), Session() as session:
            device = session.open(device="one0")
            os.kill(first_session_process(), signal.SIGKILL)
            self.assertEqual(select.select([session.fd], [], [], 10)[0], [session.fd])
            self.fails(CLOSED, session.open, "was killed by signal 9")
            device.__exit__()

    def test_a_host_program_that_is_short_of_descriptors_keeps_what_it_has(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with Session() as session, session.open(device="one0") as one:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 3, hard))
            try:
                failed = self.fails(SYSTEM, lambda: session.open(device="two0", queues=60))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            self.assertEqual(failed.errnum, errno.EMFILE)
            self.assertTrue(soon(lambda: "two0" not in devices()))
            self.assertEqual(flags_of(one.fds[0])[0], "one0")
            with session.open(device="two0", queues=60) as two:
                self.assertEqual(len(two.fds), 60)
            session.close()
        self.assert_as_before()

    def test_a_policy_that_changes(self) -> None:
        with Session() as session, session.open(device="kept0"):
            session.open().__exit__()
            world.write_policy({**DENY, "rules": []})
            self.assertEqual(self.fails(REFUSED, session.open, "policy").exit_status, 75)
            with Session() as another:
                another.open().__exit__()
            world.write_policy("{")
            self.assertEqual(self.fails(REFUSED, session.reload, "cannot take the new policy").exit_status, 78)
            world.write_policy({**DENY, "rules": []})
            session.reload()
            session.open(guests=["10.66.0.1"]).__exit__()
            self.assertIn("kept0", devices())


class OrdinaryUser(Client):
    tun_mode = 0o666

    def test_as_its_policy_says(self) -> None:
        """The library in a program of that user's, with the set-user-ID helper."""
        world.write_policy(GRANT)
        helper = world.helper_copy(HELPER, "setuid")
        script = """
import json, os, sys
from tests.support.libumlnet import Device, Failed, Session
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
said = []
with Device(helper=sys.argv[1], device="nob0", addresses=["fd00:99::1/64"], guests=["10.99.0.1"], queues=2) as device:
    said.append([device.name, len(device.fds)])
with Session(sys.argv[1]) as session:
    with session.open(device="nob1", addresses=["10.99.0.254"]) as device:
        said.append([device.name, len(device.fds)])
    for wanted in ({"device": "nob2", "queues": 3}, {"device": "other0"}, {"device": "nob2", "sealed": 1, "mtu": 9000}):
        try:
            session.open(**wanted)
        except Failed as failed:
            said.append([failed.exit_status, failed.message])
    session.close()
print(json.dumps(said))
"""
        done = subprocess.run([sys.executable, "-c", script, str(helper)], cwd=ROOT, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        one, two, *refusals = json.loads(done.stdout)
        self.assertEqual((one, two), (["nob0", 2], ["nob1", 1]))
        self.assertEqual([status for status, _ in refusals], [77] * 3)
        for (_, message), why in zip(refusals, ("queues", "other0", "9000")):
            self.assertIn(why, message)
            self.assertIn("rule nobodys", message)
        self.assert_as_before()


if __name__ == "__main__":
    unittest.main()
