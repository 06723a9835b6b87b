"""The processes of a session of the native protocol, each of which is the caller's by its uid: it may stop and kill them, and
keep what was sent to them waiting. What a session then says is true, others are served, and nothing is left."""

import contextlib
import os
import signal
import subprocess
import unittest
from typing import Iterator

from tests.hostile.test_native import NativeCase
from tests.hostile.test_tracing import as_nobody, intrude
from tests.support import native, world
from tests.support.hostile import FREE, GATE, INSTALLATIONS, NOBODY, POLICY, SOMEBODY, as_user
from tests.support.process import announcers_of, children_of, status_of, workers_of

OPEN = ("open", "device=uml1", f"address={GATE}", f"guest={FREE}")
SEALED = ("open", "sealed", "device=uml2")
PROCESSES = {"setuid": ("session", "recorder", "caller_worker", "relay", "announcer"),
             "filecap": ("session", "recorder", "caller_worker", "relay")}


def signalled(pid: int, number: signal.Signals) -> None:
    """By the caller."""
    subprocess.run(["/bin/kill", f"-{int(number)}", str(pid)], check=True, **as_user(NOBODY))


def refused(pid: int, number: signal.Signals) -> str:
    """What a caller hears who may not send it."""
    done = subprocess.run(["/bin/kill", f"-{int(number)}", str(pid)], capture_output=True, text=True, **as_user(NOBODY))
    return done.stderr if done.returncode else ""


class SessionProcesses(NativeCase):
    def setUp(self) -> None:
        super().setUp()
        self.held: list[native.Answer] = []
        self.addCleanup(lambda: [answer.close() for answer in self.held])

    @contextlib.contextmanager
    def session(self, how: str = "setuid") -> Iterator[native.Session]:
        with native.Session(self.helpers[how], user=NOBODY) as session:
            self.assertTrue(session.begun.ok, session.begun)
            yield session
            while self.held:
                self.held.pop().close()
        self.assert_host_unchanged()

    def processes(self, session: native.Session) -> dict[str, int]:
        """With a relay, which belongs to a sealed device."""
        answer = session.ask(*SEALED)
        self.held.append(answer)
        self.assertTrue(answer.ok, answer)
        recorder, caller_worker = workers_of(session.process.pid)
        (relay,) = children_of(caller_worker)
        return dict(zip(PROCESSES["setuid"], (session.process.pid, recorder, caller_worker, relay, *announcers_of(session.process.pid))))

    def assert_refused_in_words(self, answer: native.Answer, *words: str) -> None:
        self.addCleanup(answer.close)
        self.assertEqual((answer.json.get("status"), answer.json.get("code"), answer.fds), ("error", "kernel", []), answer)
        for word in words:
            self.assertIn(word, answer.json["error"])
        self.assertIn("Leave the processes", answer.json["advice"])

    def assert_others_are_served(self) -> None:
        with native.call(self.helper, "open", f"address={GATE}", user=SOMEBODY) as answer:
            self.assertTrue(answer.ok, answer)

    def test_none_can_be_looked_into(self) -> None:
        for how in INSTALLATIONS:
            with self.session(how) as session:
                processes = self.processes(session)
                self.assertEqual(tuple(processes), PROCESSES[how])
                for name, pid in processes.items():
                    with self.subTest(how, process=name):
                        self.assertEqual(as_nobody(lambda: intrude(pid)), [])

    def test_each_of_them_killed_or_ended(self) -> None:
        for how in INSTALLATIONS:
            for name in PROCESSES[how]:
                for number in (signal.SIGKILL, signal.SIGTERM):
                    with self.subTest(how, process=name, signal=number.name), self.session(how) as session:
                        pid = self.processes(session)[name]
                        if name == "recorder" and how == "setuid":  # it is root's, and no caller's to end
                            self.assertIn("not permitted", refused(pid, number))
                            self.assertTrue(session.ask(*OPEN).ok)
                            continue
                        signalled(pid, number)
                        if number == signal.SIGTERM and name != "session":
                            continue  # held back, as they hold all signals back
                        self.wait_until_gone(pid)
                        self.assert_others_are_served()
                        if name == "session":
                            continue
                        first = session.ask(*OPEN)
                        if name == "recorder":
                            self.assert_refused_in_words(first, "keeps the audit log", "does not answer")
                            self.assert_refused_in_words(session.ask("remove", "device=uml2"), "does not answer")
                        else:
                            self.assertTrue(first.ok, first)
                            first.close()
                        if name == "caller_worker":
                            self.assert_refused_in_words(session.ask("open", "sealed", "device=uml3"), "attends")
                            self.assertTrue(session.ask("remove", "device=uml2").ok)
                        if name == "relay":
                            self.wait_until(lambda: "uml2" not in world.links())

    def test_a_limit_that_keeps_one_from_waiting_ends_it(self) -> None:
        """poll(2) takes no more descriptors than RLIMIT_NOFILE, which the caller may lower at any time."""
        for how in INSTALLATIONS:
            for name in PROCESSES[how]:
                with self.subTest(how, process=name), self.session(how) as session:
                    os.truncate(world.LOG, 0)  # the count of refusals is in use
                    pid = self.processes(session)[name]
                    limited = subprocess.run(["/usr/bin/prlimit", f"--pid={pid}", "--nofile=0:0"], capture_output=True, **as_user(NOBODY))
                    self.assertEqual(limited.returncode != 0, name == "recorder")  # which has the installation's identity
                    if name == "recorder":
                        continue
                    if name == "relay":
                        with contextlib.suppress(BrokenPipeError):  # a frame of the host's own woke it before
                            os.write(self.held[0].fds[0], bytes(60))
                    else:
                        if name == "announcer":  # it waits for one descriptor, and asks for no more
                            continue
                        for _ in range(1 if name == "session" else 8):  # after one of them it is to wait again
                            session.ask("open", "sealed").close()
                    self.wait_until_gone(pid)
                    if name == "session":
                        self.assertEqual(session.wait(), 71)
                        last = world.audit_lines()[-1]
                        self.assertEqual((last["event"], last["result"]["session"]["ended"], last["result"]["errno"]),
                                         ("exit", "waiting failed", "EINVAL"))
                    elif name != "relay":
                        self.assertFalse(session.ask("open", "sealed", "queues=1").ok)
                    self.assertLess(len(world.audit_lines()), 30)

    def test_one_that_is_stopped_and_goes_on_later_is_not_believed(self) -> None:
        """Its answer to the one question would be taken for that to the next. Both sessions wait at the same time."""
        own = [native.OwnNamespace(NOBODY) for _ in range(2)]
        for namespace in own:
            self.addCleanup(namespace.close)
        world.write_policy({**POLICY, "rules": [{**rule, "operations": ["open"], "namespaces": True}
                                                for rule in POLICY["rules"]]})  # type: ignore[attr-defined]
        self.baseline = self.settled()
        with self.session("filecap") as one, self.session() as other:
            recorder, caller_worker = workers_of(one.process.pid)[0], workers_of(other.process.pid)[1]
            for pid in (recorder, caller_worker):
                self.addCleanup(self.end, pid)
                signalled(pid, signal.SIGSTOP)
            one.send(b"open\0device=uml1\0")
            other.send(b"open\0netns=0\0", [own[0].fd])
            self.assert_others_are_served()
            self.assert_refused_in_words(one.receive(), "no answer came")
            self.assert_refused_in_words(other.receive(), "no answer came")
            for pid in (recorder, caller_worker):
                signalled(pid, signal.SIGCONT)
                self.wait_until(lambda: status_of(pid)["State"][0] == "S")
            self.assert_refused_in_words(one.ask(*OPEN), "does not answer")
            self.assert_refused_in_words(other.ask("open", "netns=0", fds=[own[1].fd]), "does not answer")
            self.assert_refused_in_words(other.ask(*SEALED), "does not answer")
            self.assertFalse(self.happenings.any() and "uml2" in world.links())
            with other.ask(*OPEN) as answer:  # for which nobody has to attend
                self.assertTrue(answer.ok, answer)
            self.assertEqual([own[0].inside("ip", "-br", "link").count("tap"), own[1].inside("ip", "-br", "link").count("tap")], [0, 0])

    def test_a_session_that_is_stopped_holds_up_its_user_only(self) -> None:
        with self.session() as session:
            signalled(session.process.pid, signal.SIGSTOP)
            session.send(b"open\0device=uml1\0")
            self.assert_others_are_served()
            with native.call(self.helper, *OPEN, user=NOBODY) as answer:
                self.assertTrue(answer.ok, answer)
            signalled(session.process.pid, signal.SIGCONT)
            session.receive().close()

    def test_two_processes_that_ask_in_one_session(self) -> None:
        """The answers come one for each request; who takes which is theirs to see to."""
        requests = 100
        with self.session() as session:
            asking = []
            for _ in range(2):
                pid = os.fork()
                if pid == 0:
                    try:
                        for _ in range(requests):
                            session.socket.send(b"open\0device=lo\0")
                    finally:
                        os._exit(0)
                asking.append(pid)
            codes = [session.receive().json["code"] for _ in range(2 * requests)]
            for pid in asking:
                os.waitpid(pid, 0)
            self.assertEqual(set(codes), {"denied"})
            with session.ask(*OPEN) as answer:
                self.assertTrue(answer.ok, answer)

    @staticmethod
    def end(pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def test_a_stopped_worker_keeps_no_device_that_was_refused(self) -> None:
        """The descriptor lies in its queue, and the device is gone all the same, as the record says."""
        with self.session() as session:
            _, worker = workers_of(session.process.pid)
            signalled(worker, signal.SIGSTOP)
            self.addCleanup(self.end, worker)
            answer = session.ask("open", "sealed", "device=uml1", f"address={GATE}")
            self.assert_refused_in_words(answer, "does not answer")
            self.assertNotIn("uml1", world.links())
            last = [line for line in world.audit_lines() if line["event"] == "reject"][-1]
            self.assertIn("uml1 gone", last["result"]["changes"])
            signalled(worker, signal.SIGKILL)

    def test_a_removal_that_nobody_hears_of_is_on_record(self) -> None:
        with self.session() as session:
            made = session.ask("open", "persist", "device=uml1")
            self.assertTrue(made.ok, made)
            made.close()
            os.truncate(world.LOG, 0)
            session.send(b"remove\0device=uml1\0")
            session.socket.close()
            session.wait()
            done = [line for line in world.audit_lines() if line["event"] == "accept" and line["stage"] == "result"]
            self.assertEqual(done[-1]["request"]["operation"], "remove")
            self.assertEqual(world.audit_lines()[-1]["result"]["session"]["removed"], 1)

    def wait_until_gone(self, pid: int) -> None:
        def is_gone() -> bool:
            try:
                return status_of(pid)["State"][0] in "ZX"
            except (FileNotFoundError, ProcessLookupError):
                return True

        self.wait_until(is_gone)


if __name__ == "__main__":
    unittest.main()
