"""libumlnet asks in the native protocol, and believes no answer further than its form: the helper here is one that
does as each test wants."""

import os
import select
import stat
import threading
import unittest
from pathlib import Path
from typing import Any

from tests.netns.test_libumlnet import HostProgram
from tests.support import libumlnet
from tests.support.libumlnet import (CLOSED, INVALID, NO_HELPER, PROTOCOL, REFUSED, STATE, SYSTEM, TIMEOUT, UNSUPPORTED,
                                     Device, Session)
from tests.support.native_helper import FULL, MADE, REFUSAL, WELCOME, FakeHelper

DGRAM = 4  # umlnet_framing


class FakeCase(HostProgram):
    def setUp(self) -> None:
        super().setUp()
        self.fake_helper = FakeHelper(self.directory)

    def helper(self, *answers: Any, status: int = 0) -> Path:
        return self.fake_helper.answering(*answers, status=status)

    @property
    def asked(self) -> list[Any]:
        return self.fake_helper.asked


class OneCall(FakeCase):
    def test_all_that_can_be_asked_for_and_all_that_comes_of_it(self) -> None:
        helper = self.helper([FULL, 2])
        with self.unnoticed(), Device(
                helper=helper, device="tap7", addresses=["10.99.0.254/24", "fd00:99::1/64"],
                guests=["10.50.0.7", "fd00:50::7"], guest_mac="52:54:00:12:34:56", mtu=1400, mac="02:00:00:00:00:07",
                queues=2, anti_spoof=1) as device:
            info = device.info
            self.assertEqual((device.name, info.ifindex, bytes(info.mac).hex(), info.mtu, info.id),
                             ("tap7", 7, "020000000007", 1400, b"some-id"))
            self.assertEqual(device.addresses, ["10.99.0.254/24", "fd00:99::1/64"])
            self.assertEqual(device.guests, {"10.50.0.7": ["eth0"], "fd00:50::7": []})
            self.assertEqual((info.bridge, info.queues, info.vnet_hdr, info.persistent, info.sealed, info.anti_spoof),
                             (None, 2, 0, 0, 0, 1))
            self.assertEqual(device.notes, ["tap7 up with 10.99.0.254/24, fd00:99::1/64\n"
                                            "10.50.0.7 routed to tap7, published on eth0\n"
                                            "fd00:50::7 routed to tap7\nsomething else\n"])
            for fd in device.fds:
                self.assertFalse(os.get_inheritable(fd))
                self.assertFalse(os.get_blocking(fd))
                self.assertTrue(stat.S_ISCHR(os.fstat(fd).st_mode))
        self.assertEqual(self.asked, [["5", "open", "device=tap7", "address=10.99.0.254/24", "address=fd00:99::1/64",
                                       "guest=10.50.0.7", "guest=fd00:50::7", "guest-mac=52:54:00:12:34:56", "mtu=1400",
                                       "mac=02:00:00:00:00:07", "queues=2", "anti-spoof"]])

    def test_what_a_later_header_asks_for(self) -> None:
        helper = self.helper([{**MADE, "guests": [{"address": "10.51.7.0/24", "published": ["eth0"]}]}, 1])
        with Device(helper=helper, guests=["10.50.0.7", "10.51.7.0/24"], guest_mac="52:54:00:12:34:56", anti_spoof=1,
                    guest_macs=["52:54:00:12:34:57", "52:54:00:12:34:58"], device="tap7", persistent=1, owner=":100") as device:
            self.assertEqual(device.guests, {"10.51.7.0/24": ["eth0"]})
        self.assertEqual(self.asked, [["5", "open", "device=tap7", "guest=10.50.0.7", "guest=10.51.7.0/24",
                                       "guest-mac=52:54:00:12:34:56", "guest-mac=52:54:00:12:34:57", "guest-mac=52:54:00:12:34:58",
                                       "owner=:100", "persist", "anti-spoof"]])

    def test_descriptors_that_are_taken_are_the_callers(self) -> None:
        with Device(helper=self.helper([FULL, 2]), queues=2) as device:
            mine = device.take(1)
            self.assertEqual((device.take(1), device.take(2)), (-1, -1))
            theirs = device.fds
            self.assertEqual(theirs[1], -1)
        os.close(mine)
        with self.assertRaises(OSError):
            os.fstat(theirs[0])

    def test_a_port_of_a_bridge_and_a_network_namespace(self) -> None:
        helper = self.helper([{**MADE, "bridge": "br0", "isolated": True, "netns": True}, 1])
        namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.addCleanup(os.close, namespace)
        with Device(helper=helper, bridge="br0", isolated=1, netns=namespace) as device:
            self.assertEqual((device.info.bridge, device.info.isolated, device.info.in_netns), (b"br0", 1, 1))
        self.assertEqual(self.asked, [["5", "open", "bridge=br0", "netns=3", "isolated", os.fstat(namespace).st_ino]])

    def test_what_is_no_request_is_said_before_anybody_is_asked(self) -> None:
        helper = self.helper()
        for wanted, why in (({"device": "a/b"}, "device=a/b is not the name of a device"),
                            ({"device": ""}, "device= is not the name of a device"),
                            ({"addresses": ["10.0.0"]}, "address=10.0.0 is not an IP address"),
                            ({"guests": ["10.0.0.1"] * 2}, "the address is given twice"),
                            ({"mac": "01:00:00:00:00:00"}, "is not the MAC address of one interface"),
                            ({"queues": 65}, "queues=65 is not a number from 1 to 64"),
                            ({"mtu": 67}, "mtu=67 is not a number from 68 to 65521"),
                            ({"isolated": 1}, "isolated needs bridge="), ({"persistent": 1}, "persist needs device="),
                            ({"sealed": 1, "queues": 2}, "sealed does not go with queues="),
                            ({"size": 8}, "UMLNET_DEVICE_REQUEST_INIT")):
            with self.subTest(why):
                self.fails(INVALID, lambda: Device(helper=helper, **wanted), why)
        self.assertEqual(self.asked, [])

    def test_a_refusal_in_the_words_of_the_helper(self) -> None:
        helper = self.helper(REFUSAL, status=77)
        with self.unnoticed():
            failed = self.fails(REFUSED, lambda: Device(helper=helper, device="tap7"),
                                "cannot open tap7: no rule allows this")
        self.assertEqual((failed.exit_status, failed.helper), (77, "no rule allows this\nAsk the administrator.\n"))
        helper = self.helper({**REFUSAL, "code": "kernel", "errno": "EBUSY", "error": "tap7 is in use"})
        self.assertEqual(self.fails(REFUSED, lambda: Device(helper=helper)).errnum, 16)

    def test_a_helper_that_says_nothing_or_only_on_stderr(self) -> None:
        failed = self.fails(REFUSED, lambda: Device(helper=self.helper("say")), "something is wrong here")
        self.assertEqual(failed.exit_status, 78)
        self.fails(REFUSED, lambda: Device(helper=self.helper(status=3)), "ended with status 0 and said nothing")
        self.fails(REFUSED, lambda: Device(helper=self.helper("die")), "was killed by signal 9 (SIGKILL)")
        self.fails(NO_HELPER, lambda: Device(helper="/nowhere/uml_net"), "cannot start /nowhere/uml_net")

    def test_a_helper_that_hangs_is_killed(self) -> None:
        helper = self.helper("hang")
        with self.unnoticed():
            self.fails(TIMEOUT, lambda: Device(helper=helper, timeout_ms=700), "did not finish in time, and has been killed")
        with self.assertRaises(ProcessLookupError):
            os.kill(self.fake_helper.hung(), 0)

    def test_an_answer_that_does_not_fit_leaves_no_descriptor(self) -> None:
        for answer, wanted, why in (
                (["no JSON at all\n", 1], {}, "is not what the protocol has"),
                ([{**MADE, "fds": 1}, 2], {}, "speaks of 1 descriptors, and sent 2"),
                ([{**MADE, "fds": 1}, 0], {}, "speaks of 1 descriptors, and sent 0"),
                ([FULL, 2], {"queues": 2, "vnet_hdr": 1}, "something else than was asked for"),
                ([MADE, 1], {"sealed": 1}, "something else than was asked for"),
                ([MADE, 1], {"device": "tap8"}, "the helper has made tap7"),
                ([{"status": "ok", "id": "i", "device": "tap7", "removed": True, "fds": 0, "notes": []}, 0], {},
                 "answers another request"),
                ([" " * 70000, 1], {}, "larger than any should be"),
                ([MADE, 65], {}, "speaks of 1 descriptors, and sent 65")):
            with self.subTest(why):
                helper = self.helper(answer)
                with self.unnoticed():
                    self.fails(PROTOCOL, lambda: Device(helper=helper, **wanted), why)

    def test_a_helper_of_another_age_is_heard_in_its_own_words(self) -> None:
        failed = self.fails(PROTOCOL, lambda: Device(helper=self.helper("uml_net: version 5 is not spoken\n")))
        self.assertEqual(failed.helper, "uml_net: version 5 is not spoken\n")

    def test_a_removal(self) -> None:
        removed = {"status": "ok", "id": "i", "device": "tap7", "removed": True, "fds": 0, "notes": ["it was persistent"]}
        with self.unnoticed():
            self.assertEqual(libumlnet.remove("tap7", helper=self.helper(removed)), ["tap7 removed\nit was persistent\n"])
            self.assertEqual(self.asked, [["5", "remove", "device=tap7"]])
            self.fails(PROTOCOL, lambda: libumlnet.remove("tap8", helper=self.helper(removed)), "answers another request")
            refusal = {**REFUSAL, "code": "no_such_device", "error": "there is no device tap7 of yours"}
            failed = self.fails(REFUSED, lambda: libumlnet.remove("tap7", helper=self.helper(refusal)),
                                "cannot remove tap7: there is no device tap7 of yours")
            self.assertEqual(failed.exit_status, 66)
            self.fails(INVALID, lambda: libumlnet.remove("a b", helper=self.helper(removed)), "is not the name of a device")

    def test_the_end_of_a_device_for_a_pump(self) -> None:
        with Device(helper=self.helper([{**MADE, "sealed": True}, 1]), sealed=1) as device:
            self.assertEqual((device.end().framing, device.end().fd, device.end().name), (DGRAM, device.fds[0], b"tap7"))
            os.close(device.take(0))
            self.fails(STATE, device.end, "was taken")
        with Device(helper=self.helper([{**MADE, "vnet_hdr": True}, 1]), vnet_hdr=1) as device:
            self.assertEqual((device.end().vnet_hdr, device.end().offloads), (10, 15))
        with Device(helper=self.helper([FULL, 2]), queues=2) as device:
            self.fails(UNSUPPORTED, device.end, "has 2 queues")


class Sessions(FakeCase):
    def test_one_helper_for_all_requests(self) -> None:
        namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.addCleanup(os.close, namespace)
        removed = {"status": "ok", "id": "i", "device": "tap7", "removed": True, "fds": 0, "notes": []}
        reloaded = {"status": "ok", "id": "i", "reloaded": True, "fds": 0, "notes": ["it is longer now"]}
        helper = self.helper({**WELCOME, "notes": ["the policy is of today"]}, [{**MADE, "device": "tap1"}, 1], REFUSAL,
                             [{**MADE, "netns": True}, 1], removed, {**REFUSAL, "code": "policy_changed"},
                             {**REFUSAL, "code": "bad_policy"}, reloaded)
        with self.unnoticed(), Session(helper) as session:
            self.assertEqual(session.notes, ["the policy is of today\n"])
            with session.open() as first:
                failed = self.fails(REFUSED, lambda: session.open(device="tap9"), "cannot open tap9: no rule allows this")
                self.assertEqual(failed.exit_status, 77)
                with session.open(device="tap7", netns=namespace) as second:
                    self.assertEqual((first.name, second.name), ("tap1", "tap7"))
                session.remove("tap7")
            self.assertEqual(self.fails(REFUSED, lambda: session.remove("tap7"), "cannot remove tap7").exit_status, 75)
            self.assertEqual(self.fails(REFUSED, session.reload, "cannot take the new policy: no rule").exit_status, 78)
            session.reload()
            self.assertEqual(session.notes[-1], "it is longer now\n")
            self.assertEqual(select.select([session.fd], [], [], 0)[0], [])
            session.close()
            session.close()
            self.assertEqual(select.select([session.fd], [], [], 0)[0], [session.fd])
            self.fails(CLOSED, session.open, "the session is over")
        self.assertEqual(self.asked, [["5", "session"], ["open"], ["open", "device=tap9"],
                                      ["open", "device=tap7", "netns=0", os.fstat(namespace).st_ino],
                                      ["remove", "device=tap7"], ["remove", "device=tap7"], ["reload"], ["reload"]])

    def test_an_answer_to_another_request_is_none_to_a_reload(self) -> None:
        for answer in ([MADE, 1], WELCOME, {"event": "policy_changed"}):
            with self.unnoticed(), Session(self.helper(WELCOME, answer)) as session:
                self.fails(PROTOCOL, session.reload, "cannot take the new policy")
                self.fails(CLOSED, session.reload)

    def test_a_request_that_is_none_is_not_sent(self) -> None:
        with Session(self.helper(WELCOME, [MADE, 1])) as session:
            self.fails(INVALID, lambda: session.open(queues=100))
            self.fails(SYSTEM, lambda: session.open(netns=999_999), "Bad file descriptor")
            session.open().__exit__()
        self.assertEqual(self.asked, [["5", "session"], ["open"]])

    def test_from_several_threads(self) -> None:
        count = 20
        answers = [[{**MADE, "device": f"tap{i}"}, 1] for i in range(count)]
        failures: list[BaseException] = []

        def ask(session: Session) -> None:
            try:
                for _ in range(count // 4):
                    session.open().__exit__()
            except BaseException as failure:
                failures.append(failure)

        with self.unnoticed(), Session(self.helper(WELCOME, *answers)) as session:
            threads = [threading.Thread(target=ask, args=(session,)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(failures, [])
            self.assertEqual(sorted(session.notes), sorted(f"tap{i} up\n" for i in range(count)))

    def test_a_helper_that_does_not_want_to(self) -> None:
        with self.unnoticed():
            failed = self.fails(REFUSED, lambda: Session(self.helper(REFUSAL, status=77)),
                                "cannot open a session: no rule allows this")
            self.assertEqual(failed.exit_status, 77)
            self.fails(REFUSED, lambda: Session(self.helper("say")), "something is wrong here")
            self.fails(TIMEOUT, lambda: Session(self.helper("hang"), timeout_ms=700), "has been killed")
            self.fails(PROTOCOL, lambda: Session(self.helper("hello\n")), "is not what the protocol has")
            self.fails(PROTOCOL, lambda: Session(self.helper([MADE, 1])), "answers another request")

    def test_a_helper_that_hangs_over_a_request_ends_the_session(self) -> None:
        with self.unnoticed(), Session(self.helper(WELCOME, "hang"), timeout_ms=1500) as session:
            self.fails(TIMEOUT, session.open, "did not finish in time, and has been killed")
            self.assertEqual(select.select([session.fd], [], [], 0)[0], [session.fd])
            self.fails(CLOSED, session.open, "the session is over")

    def test_the_death_of_the_helper_is_told(self) -> None:
        with self.unnoticed(), Session(self.helper(WELCOME, [MADE, 1], "die")) as session:
            session.open().__exit__()
            self.fails(CLOSED, session.open, "was killed by signal 9 (SIGKILL)")
            self.fails(CLOSED, session.open, "the session is over")
            self.assertEqual(select.select([session.fd], [], [], 10)[0], [session.fd])
            self.fails(SYSTEM, session.close, "was killed by signal 9 (SIGKILL)")
        with self.unnoticed(), Session(self.helper(WELCOME, "say")) as session:
            failed = self.fails(CLOSED, session.open, "something is wrong here")
            self.assertEqual(failed.exit_status, 78)

    def test_an_answer_that_does_not_fit_ends_the_session(self) -> None:
        with self.unnoticed(), Session(self.helper(WELCOME, [MADE, 2], [MADE, 1])) as session:
            self.fails(PROTOCOL, session.open, "speaks of 1 descriptors, and sent 2")
            self.fails(CLOSED, session.open)

    def test_a_helper_that_could_not_take_everything_back(self) -> None:
        with self.unnoticed(), Session(self.helper(WELCOME, status=71)) as session:
            self.assertEqual(self.fails(SYSTEM, session.close, "cannot end the session in order").exit_status, 71)


if __name__ == "__main__":
    unittest.main()
