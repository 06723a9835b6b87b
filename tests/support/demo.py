"""What tests/demo shows: a guest gets its interface from uml_net, everybody reaches everybody, and all is on record."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from tests.support import caller, place, world
from tests.support.guest import UmlGuest, has_transport, version

HELPER = place.ROOT / os.environ["UMLNET_BUILD"] / "uml_net" / "uml_net"
USER, STRANGER = 65534, 65533
GATE, ADDRESS = "10.50.0.254", "10.50.0.7"
POLICY = {
    "version": 1,
    "rules": [
        {
            "name": "demo-guests",
            "users": [USER],
            "operations": ["tuntap", "address"],
            "gateways": [GATE],
            "guests": [ADDRESS],
            "lan": ["eth0"],
        }
    ],
}
BOLD, DIM, GREEN, RED, PLAIN = ("\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m") if sys.stdout.isatty() else ("",) * 5


def title(text: str) -> None:
    print(f"\n{BOLD}== {text}{PLAIN}", flush=True)


class Console:
    """The guest's console, line by line, behind a mark that tells it from the host's."""

    def __init__(self) -> None:
        self.rest = ""

    def __call__(self, text: str) -> None:
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            if line and not line.startswith("==done:"):
                print(f"{DIM}guest|{PLAIN} {line}", flush=True)


class Checks:
    def __init__(self) -> None:
        self.failed = 0

    def __call__(self, what: str, good: bool) -> None:
        self.failed += not good
        print(f"{GREEN}ok    {PLAIN} {what}" if good else f"{RED}FAILED{PLAIN} {what}", flush=True)


def audit_sentence(line: dict[str, Any]) -> str:
    """One audit line as a person would tell it."""
    request, who = line["request"], line["caller"]
    asked = " ".join([request.get("operation", "?"), *(request[key] for key in ("device", "address", "gateway") if key in request)])
    outcome = line.get("decision", {}).get("reason", "")
    if changes := line.get("result", {}).get("changes"):
        outcome = "; ".join(changes)
    return f"{line['time'][11:23]}  {line['event']:<6} {line['stage']:<6}  uid {who['uid']:<5}  {asked:<28}  {outcome}"


class OwnCalls:
    """The guest's kernel calls uml_net itself, by its tuntap transport."""

    title = f"uid {USER} boots an unmodified User-Mode Linux kernel, which calls the set-user-ID uml_net by itself"

    def __init__(self, helper: Path) -> None:
        self.guest = UmlGuest(helper, f"eth0=tuntap,,,{GATE}", user=USER, on_output=Console())

    def announce(self) -> None:
        pass

    def configure(self) -> str:
        """Gives the guest its address, and returns what uml_net said."""
        self.guest.check(f"uname -sr; ip link set eth0 up; ip addr add {ADDRESS}/24 dev eth0")
        title("What uml_net told the guest, in its kernel log")
        return self.guest.check("dmesg | grep -e tap0")

    def take_down(self) -> None:
        self.guest.check("ip link set eth0 down")


class CallsForTheGuest:
    """The guest's user calls uml_net, and the guest gets the open TAP by its vector transport."""

    title = f"uid {USER} gets a TAP from the set-user-ID uml_net, and boots an unmodified User-Mode Linux kernel on it"

    def __init__(self, helper: Path) -> None:
        self.helper = helper
        self.tap = caller.tuntap_up(helper, GATE, user=USER)
        if not self.tap.fds:
            raise RuntimeError(f"no TAP for the guest: {self.tap.text}{self.tap.stderr}")
        self.said = self.tap.text
        self.guest = UmlGuest(None, f"vec0:transport=fd,fd={self.tap.fds[0]},vec=0", user=USER, on_output=Console(),
                              pass_fds=self.tap.fds)

    def announce(self) -> None:
        print(f"linux.uml {version()} has no tuntap transport and cannot call uml_net itself, so this demo calls uml_net as "
              f"uid {USER} and passes the TAP to the guest's vector transport.")

    def call(self, what: str) -> str:
        reply = caller.framed(self.helper, "4", what, self.tap.name, ADDRESS, "255.255.255.0", user=USER)
        return reply.text + reply.stderr

    def configure(self) -> str:
        self.tap.close()
        self.guest.check(f"uname -sr; ip link set vec0 up; ip addr add {ADDRESS}/24 dev vec0")
        title("What uml_net told the guest's user")
        said = self.said + self.call("add")
        print(said.rstrip())
        return said

    def take_down(self) -> None:
        print(self.call("del").rstrip())
        self.guest.check("ip link set vec0 down")  # closes the TAP


def main() -> int:
    place.move_to("tests.support.demo")
    check = Checks()
    world.enter()
    world.fresh_network()
    world.write_policy(POLICY)
    helper = world.helper_copy(HELPER, "setuid")

    title("A host of our own: a network namespace with a LAN on eth0, and on that LAN a second host, 10.50.0.2")
    lan = world.lan()
    try:
        print(world.sh("ip", "-br", "-4", "addr").rstrip())
        print(f"policy: {json.dumps(POLICY['rules'][0])}")
        before = world.snapshot()

        way = OwnCalls(helper) if has_transport("tuntap") else CallsForTheGuest(helper)
        title(way.title)
        way.announce()
        print("$ " + " ".join(way.guest.command), flush=True)
        with way.guest as guest:
            log = way.configure()
            check("the guest has its interface", "tap0 up with 10.50.0.254/32" in log and "10.50.0.7 routed to tap0" in log)

            title("The guest pings the host, and the second host on the LAN")
            check("guest to host", guest.run("ping -c 2 10.50.0.254")[0] == 0)
            check("guest to the second host", guest.run("ping -c 2 10.50.0.2")[0] == 0)

            title("The host pings the guest, and so does the second host, which finds it by proxy ARP")
            check("host to guest", world.ping("10.50.0.7", 1400))
            check("second host to guest", lan.ping("10.50.0.7", 1400))

            title("What uml_net changed on the host, and marked as its own")
            print(world.sh("ip", "-d", "link", "show", "tap0").rstrip())
            print(world.sh("ip", "-4", "route", "show", "proto", "117").rstrip() + "    (protocol 117: uml_net's routes)")
            print(world.sh("ip", "neigh", "show", "proxy").rstrip() + "    (published for the LAN)")
            check("forwarding is on for two devices, and not for the whole host",
                  (world.setting("tap0", "forwarding"), world.setting("eth0", "forwarding"),
                   world.setting("all", "forwarding")) == (1, 1, 0))

            title(f"uid {STRANGER}, of whom no rule speaks, asks for a device, and then for an address on this one")
            refused = caller.tuntap_up(helper, "10.50.0.254", user=STRANGER)
            print(refused.text.rstrip())
            check("refused, no device made", refused.exit == 77 and not refused.fds and "tap1" not in world.links())
            meddled = caller.framed(helper, "4", "del", "tap0", "10.50.0.7", "255.255.255.0", user=STRANGER)
            print(meddled.text.rstrip())
            check("refused, the guest stays on the network", meddled.exit != 0 and world.ping("10.50.0.7"))

            title("The guest halts")
            way.take_down()
            guest.halt()
        deadline = time.monotonic() + 10
        while (left := world.snapshot()) != before and time.monotonic() < deadline:
            time.sleep(0.1)
        check("the host is as it was: no device, address, route, proxy entry or setting is left", left == before)

        title(f"What the audit log says ({world.LOG}; here in short, the last line whole)")
        lines = world.audit_lines()
        for line in lines:
            print(audit_sentence(line))
        print(json.dumps(lines[-1], indent=2))
        check("every request is on record", {"accept", "reject"} == {line["event"] for line in lines})
    finally:
        lan.close()

    print(f"\n{BOLD}{'All of it worked.' if check.failed == 0 else f'{check.failed} things did not work.'}{PLAIN}")
    return 0 if check.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
