"""`umlnet run`: any command gets the network, and all is taken back, whatever happens."""

import json
import os
import pty
import re
import signal
import stat
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

from tests.support import world
from tests.support.cli import NOBODY, CliCase, descendants
from tests.support.guest import soon
from tests.support.process import status_of

GATEWAY, GUEST = "10.99.0.254", "10.99.0.1"
NET = ("--gateway", GATEWAY, "--address", GUEST)
ROUTE = f"{GUEST} dev tap0 proto 117 scope link"
IFF_TAP_NO_PI = 0x1002
# Says what the kernel calls the device behind a descriptor, and which descriptors there are.
LOOK = """
import fcntl, json, os, struct, sys
found = []
for word in sys.argv[1:]:
    reply = fcntl.ioctl(int(word), 0x800454D2, bytes(40))  # TUNGETIFF
    found.append([reply[:16].rstrip(b"\\0").decode(), struct.unpack_from("H", reply, 16)[0]])
inherited = [fd for fd in map(int, os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd/%d" % fd)]
print(json.dumps([found, inherited]))
"""
PYTHON = "/usr/bin/python3"
WAIT = ("sh", "-c", "echo {fd} {dev}; read line; exit 7")


def until_closed(screen: Any) -> bytes:
    """What a terminal shows, until the last program has left it."""
    shown = b""
    try:
        while more := screen.read(4096):
            shown += more
    except OSError:  # EIO
        pass
    return shown


def packets_from(device: str) -> int:
    """That the host has received from a device; 0 where it is not there yet."""
    links = json.loads(world.sh("ip", "-j", "-s", "link", "show", device, check=False) or "[{}]")
    return links[0].get("stats64", {}).get("rx", {}).get("packets", 0)


class Granted:
    """What root and an ordinary user have alike."""

    def test_the_command_gets_the_descriptor_and_the_name(self) -> None:
        status, out, err = self.run_to_end("run", *NET, "--", PYTHON, "-c", LOOK, "{fd}")
        self.assertEqual(status, 0, err)
        (found, fds) = json.loads(out)
        self.assertEqual(found, [["tap0", IFF_TAP_NO_PI]])
        self.assertEqual(len(fds), 4, fds)  # its own three and the TAP
        self.assertEqual(err, f"tap0 up with {GATEWAY}/32\n{GUEST} routed to tap0\n{GUEST} no longer routed to tap0\n")
        self.assert_nothing_left()

    def test_on_the_network_while_the_command_runs_and_its_status_is_passed_on(self) -> None:
        with self.start("run", "--quiet", *NET, "--", *WAIT) as running:
            fd, device = running.line().split()
            self.assertGreater(int(fd), 2)
            self.assertEqual(device, "tap0")
            self.assertIn(ROUTE, world.routes())
            self.assertEqual(running.finish("\n"), (7, "", ""))
        self.assert_nothing_left()

    def test_other_braces_stay(self) -> None:
        words = ("{", "}", "{}", "{fd0}", "{fdx}", "{{dev}}", '{"fd":"{fd}"}', "{fd", "dev}", "{dev}{dev}")
        status, out, err = self.run_to_end("run", *NET, "--", "printf", "%s\\n", *words)
        self.assertEqual(status, 0, err)
        lines = out.splitlines()
        fd = lines[6][7:-2]
        self.assertTrue(fd.isdecimal(), out)
        self.assertEqual(lines, ["{", "}", "{}", "{fd0}", "{fdx}", "{tap0}", f'{{"fd":"{fd}"}}', "{fd", "dev}", "tap0tap0"])

    def test_what_an_event_of_the_network_takes_comes_back(self) -> None:
        with self.start("run", "--quiet", *NET, "--", *WAIT) as running:
            running.line()
            for _ in range(3):
                world.ip_batch("link set tap0 down", "link set tap0 up")
                self.assertTrue(soon(lambda: ROUTE in world.routes()), (world.routes(), world.audit_lines()[-4:]))
            self.assertEqual(running.finish("\n"), (7, "", ""))
        self.assert_nothing_left()

    def test_two_networks_each_with_its_address(self) -> None:
        with self.start("run", "-a", "10.99.0.1", "-g", "10.99.0.254", "-n", "tuntap,,,10.99.1.254", "-a", "10.99.1.1",
                        "-a", "10.99.1.2", "sh", "-c", f"{PYTHON} -c '{LOOK}' {{fd}} {{fd1}}; echo {{dev}} {{dev1}}; read x"
                        ) as running:
            self.assertEqual([name for name, _ in json.loads(running.line())[0]], ["tap0", "tap1"])
            self.assertEqual(running.line(), "tap0 tap1\n")
            self.assertEqual([route.split(" proto")[0] for route in world.routes()],
                             ["10.99.0.1 dev tap0", "10.99.1.1 dev tap1", "10.99.1.2 dev tap1"])
            status, _, err = running.finish("\n")
        self.assertEqual(status, 0, err)
        self.assertEqual(err.splitlines()[-3:], ["10.99.1.2 no longer routed to tap1", "10.99.1.1 no longer routed to tap1",
                                                 "10.99.0.1 no longer routed to tap0"])
        self.assert_nothing_left()

    def test_a_tap_that_is_there_with_a_virtio_net_header(self) -> None:
        world.sh("ip", "tuntap", "add", "dev", "tap5", "mode", "tap", "user", str(NOBODY))
        status, out, err = self.run_to_end("run", "--net", "tap:tap5,vnet=12", "--", PYTHON, "-c", LOOK, "{fd}")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(json.loads(out)[0][0][0], "tap5")
        self.assertEqual(json.loads(out)[0][0][1] & 0x5002, 0x5002)  # IFF_VNET_HDR, IFF_NO_PI... TAP

    def test_signals_reach_the_command_and_their_death_of_it_is_told(self) -> None:
        trap = "for s in HUP INT QUIT USR1 USR2 WINCH; do trap \"echo $s\" $s; done; echo {fd}; while :; do sleep 0.02; done"
        with self.start("run", *NET, "--", "bash", "-c", trap) as running:
            running.line()
            for name in ("HUP", "INT", "QUIT", "USR1", "USR2", "WINCH"):
                os.kill(running.pid, signal.Signals[f"SIG{name}"])
                self.assertEqual(running.line(), f"{name}\n")
            running.terminate()
            self.assertEqual(running.finish()[0], 128 + signal.SIGTERM)
        self.assert_nothing_left()

    def test_a_command_that_ends_in_its_own_way_when_umlnet_is_terminated(self) -> None:
        with self.start("run", *NET, "--", "bash", "-c", "trap 'echo bye; exit 3' TERM; echo {fd}; while :; do sleep 0.02; done"
                        ) as running:
            running.line()
            running.terminate()
            status, out, err = running.finish()
        self.assertEqual((status, out), (3, "bye\n"), err)
        self.assert_nothing_left()

    def test_a_killed_command(self) -> None:
        status, _, err = self.run_to_end("run", *NET, "--", "sh", "-c", ": {fd}; kill -KILL $$")
        self.assertEqual(status, 128 + signal.SIGKILL, err)
        self.assert_nothing_left()

    def test_a_command_that_is_not_there_or_no_program(self) -> None:
        for command, expected, words in (("no-such-command", 127, "command not found"), ("/etc/passwd", 126, "Permission denied")):
            with self.subTest(command):
                status, _, err = self.run_to_end("run", *NET, "--", command, "{fd}", env={"PATH": "/usr/bin:/bin"})
                self.assertEqual(status, expected, err)
                self.assertIn(f"umlnet run: cannot start {command}: {words}\n", err)
                self.assert_nothing_left()

    def test_ethertap_on_a_socket(self) -> None:
        with self.start("run", "--net", f"ethertap,tap7,,{GATEWAY}", "--address", GUEST, "--as", "dgram", "--json", "--",
                        *WAIT) as running:
            self.assertEqual(running.line().split()[1], "tap7")
            self.assertIn(ROUTE.replace("tap0", "tap7"), world.routes())
            status, out, err = running.finish("\n")
        self.assertEqual(status, 7, err)
        totals = self.totals(out)
        self.assertEqual((totals["status"], totals["pumps"][0]["a"], totals["pumps"][0]["b"]), (7, "tap7", "command"))
        self.assert_nothing_left()

    def test_a_socket_and_a_record_of_what_passes(self) -> None:
        """The command sends three frames; the host's own make the rest of the record."""
        send = ("import os, socket, sys\nwire = socket.socket(fileno=int(sys.argv[1]))\n"
                "frame = b'\\xff' * 6 + b'\\2' + bytes(5) + b'\\x88\\xb5' + bytes(50)\n"
                "for _ in range(3): wire.send((len(frame).to_bytes(4) if sys.argv[2] == 'stream' else b'') + frame)\n"
                "input()")
        for kind in ("stream", "dgram"):
            with self.subTest(kind), tempfile.TemporaryDirectory() as directory:
                os.chown(directory, self.user or 0, -1)
                file = Path(directory) / "guest.pcapng"
                with self.start("run", *NET, "--as", kind, "--pcap", str(file), "--json", "--snaplen", "20", "--", PYTHON,
                                "-c", send, "{fd}", kind) as running:
                    self.assertTrue(soon(lambda: packets_from("tap0") == 3))
                    status, out, err = running.finish("\n")
                self.assertEqual(status, 0, err)
                pump = self.totals(out)["pumps"][0]
                self.assertEqual((pump["b_to_a"]["frames"], pump["b_to_a"]["bytes"]), (3, 192))
                self.assertGreaterEqual(pump["captured"], 3)
                self.assertEqual(pump["not_captured"], 0)
                self.assertEqual(file.read_bytes()[:4], b"\x0a\x0d\x0d\x0a")
                self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
                self.assert_nothing_left()

    def test_a_network_that_goes_before_the_command_is_told(self) -> None:
        for what, words in (("pump", "the command goes on without tap0"), ("socket", "the command has closed its end of tap0")):
            close = "exec {fd}>&-; " if what == "socket" else ""
            with self.subTest(what), self.start("run", "-q", *NET, "--as", "stream", "--", "bash", "-c",
                                                f"echo; read x; {close}sleep 0.1; echo; read x") as running:
                running.line()
                if what == "pump":
                    os.kill(self.pump_process(running), signal.SIGKILL)
                running.say("\n")
                running.line()
                assert running.stderr
                self.assertIn(words, running.stderr.readline())
                self.assertEqual(running.finish("\n")[0], 0)
                self.assert_nothing_left()


class AsRoot(Granted, CliCase):
    def test_ctrl_c_at_the_terminal_reaches_the_command_once(self) -> None:
        script = ("import signal, time\ncount = []\nsignal.signal(signal.SIGINT, lambda *_: count.append(1))\n"
                  "print('ready', flush=True)\nwhile not count: time.sleep(0.01)\ntime.sleep(0.3)\nprint('count', len(count))")
        pid, terminal = pty.fork()
        if pid == 0:
            command = self.command("run", "--quiet", "--", PYTHON, "-c", script, "{fd}")
            os.execv(command[0], command)
        with os.fdopen(terminal, "r+b", buffering=0) as screen:
            self.assertEqual(screen.readline(), b"ready\r\n")
            screen.write(b"\x03")
            self.assertIn(b"count 1", until_closed(screen))
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        self.assert_nothing_left()

    def test_job_control_stops_and_continues_umlnet_with_the_command(self) -> None:
        """Under an interactive shell, as a terminal stops no process group that is nobody's job."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv("/bin/bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
        with os.fdopen(terminal, "r+b", buffering=0) as screen:
            words = " ".join(self.command("run", "--quiet", "--", "sh", "-c", "'echo ready {fd}; read x; exit $x'"))
            screen.write(f"PS1=; stty -echo; {words}\n".encode())
            while not re.search(rb"ready \d", screen.readline()):
                pass
            states = lambda: {status_of(one)["State"][0] for one, name in descendants(pid).items() if name in ("umlnet", "sh")}
            screen.write(b"\x1a")
            self.assertTrue(soon(lambda: states() == {"T"}))
            screen.write(b"fg\n")
            self.assertTrue(soon(lambda: states() == {"S"}))
            screen.write(b"9\nexit $?\n")
            until_closed(screen)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 9)
        self.assert_nothing_left()

    def test_nohup_stays_in_force(self) -> None:
        with self.start("run", "-q", "--", *WAIT, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as running:
            running.line()
            os.kill(running.pid, signal.SIGHUP)
            self.assertEqual(running.finish("\n")[0], 7)

    def test_wrong_words_are_said_before_anything_is_started(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            trap = Path(directory) / "uml_net"
            trap.write_text(f"#!/bin/sh\ntouch {directory}/called\n")
            trap.chmod(0o755)
            for status, words, arguments in (
                (64, "there is no command", []),
                (64, "there is no option --bad", ["--bad", "true"]),
                (64, "--gateway wants a value", ["--gateway"]),
                (64, "--as pipe: it is tap, stream or dgram", ["--as", "pipe", "true"]),
                (64, "add --as stream or --as dgram", ["--pcap", "x", "true"]),
                (64, "--snaplen is of a --pcap", ["--snaplen", "64", "--as", "stream", "true"]),
                (64, "--as stream or --as dgram; or take --net tuntap", ["--net", "ethertap,tap7", "true"]),
                (64, "{fd1}", ["-g", GATEWAY, "true", "{fd1}"]),
                (64, "its device was there before", ["--net", "tuntap,tap0", "-a", GUEST, "true"]),
                (64, "--timeout never", ["--timeout", "never", "true"]),
                (65, "\"1.2.3\" is not an IPv4 address", ["--gateway", "1.2.3", "true"]),
                (65, "known are tuntap, ethertap", ["--net", "bridge", "true"]),
                (65, "\"10.0.0.x\" is not an IPv4 address", ["-g", GATEWAY, "-a", "10.0.0.x", "true"]),
                (65, "the netmask \"33\" is none", ["-g", GATEWAY, "-a", "10.0.0.1/33", "true"]),
                (65, "vnet=11", ["--net", "tap:tap0,vnet=11", "true"]),
            ):
                with self.subTest(arguments):
                    done, out, err = self.run_to_end("run", "--helper", str(trap), *arguments)
                    self.assertEqual((done, out), (status, ""), err)
                    self.assertTrue(err.startswith("umlnet run: "), err)
                    self.assertIn(words, err)
                    self.assertEqual(err.count("\n"), 1, err)
                    self.assertFalse((Path(directory) / "called").exists())


class AsNobody(Granted, CliCase):
    user = NOBODY

    def test_refused_by_policy(self) -> None:
        for arguments in (["-g", "192.168.1.1"], ["-g", GATEWAY, "-a", "192.168.1.2"], ["-g", GATEWAY, "-g", "192.168.1.1"]):
            with self.subTest(arguments):
                status, out, err = self.run_to_end("run", *arguments, "--", "echo", "{fd}")
                self.assertEqual((status, out), (77, ""), err)
                self.assertRegex(err, r"umlnet run: .*rule nobodys-guests allows this but for .*192\.168\.1\.\d: not in 10\.99\.0\.0/16")
                self.assert_nothing_left()

    def test_a_device_of_somebody_else(self) -> None:
        world.sh("ip", "tuntap", "add", "dev", "tap5", "mode", "tap", "user", "1")
        status, _, err = self.run_to_end("run", "--net", "tuntap,tap5", "--", "true", "{fd}")
        self.assertEqual(status, 77, err)
        self.assertIn("mode tap user NAME", err)

    def test_a_helper_that_hangs(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            Path(directory).chmod(0o755)
            hangs = Path(directory) / "uml_net"
            hangs.write_text("#!/bin/sh\nexec sleep 60\n")
            hangs.chmod(0o755)
            started = time.monotonic()
            status, _, err = self.run_to_end("run", "--helper", str(hangs), "--timeout", "0.3", *NET, "--", "true", "{fd}")
            self.assertEqual(status, 75, err)
            self.assertIn("did not finish in time", err)
            self.assertIn("--timeout", err)
            self.assertLess(time.monotonic() - started, 10)
            # Terminated while it waits for the helper: the command is never started.
            with self.start("run", "--helper", str(hangs), "--timeout", "1", *NET, "--", "echo", "{fd}") as running:
                self.assertTrue(soon(lambda: "sleep" in descendants(running.pid).values()))
                running.terminate()
                self.assertEqual(running.finish()[1], "")

    def test_a_program_that_is_not_there_or_another_one(self) -> None:
        for option, path, words in (("--helper", "/nonexistent/uml_net", "/nonexistent/uml_net"),
                                    ("--helper", "/bin/false", "/bin/false ended with status 1 and said nothing"),
                                    ("--pump-program", "/nonexistent/pump", "--pump-program PATH says where it is")):
            with self.subTest(path):
                status, _, err = self.run_to_end("run", option, path, "--as", "dgram", *NET, "--", "true", "{fd}")
                self.assertEqual(status, 69, err)
                self.assertIn(words, err)
                self.assert_nothing_left()

    def test_what_a_killed_umlnet_leaves_goes_with_the_command(self) -> None:
        with self.start("run", *NET, "--", *WAIT) as running:
            running.line()
            running.kill()
            running.wait()
            self.assertIn(ROUTE, world.routes())
            running.say("\n")
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
