"""What a caller can arrange around the program: environment, places, privilege that it takes away, worlds of its own."""

import ctypes
import json
import os
import subprocess
import unittest
from pathlib import Path
from typing import Any

from tests.support import caller, userns, world
from tests.support.hostile import LIBC, NOBODY, OPERATIONS, POLICY, HostileCase, as_user, call

LIBRARY = """#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(void) { close(open("%s", O_CREAT | O_WRONLY, 0666)); }
unsigned la_version(unsigned version) { loaded(); return version; }
"""
LIBRARIES = ("libcap.so.2", "libseccomp.so.2", "libstdc++.so.6", "libgcc_s.so.1", "libc.so.6", "libm.so.6", "evil.so")
PR_SET_NO_NEW_PRIVS, PR_SET_SECUREBITS = 38, 28
READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE = 0x0400000, 0x0040000
AS_NOBODY = ("/usr/bin/setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
# pivot_root(8) is not on every system.
PIVOT_ROOT = 'import ctypes; assert ctypes.CDLL(None).pivot_root(b".", b"old") == 0'
FORGED_ROOT = """
set -e
mount -t tmpfs -o mode=755 none {root}
mkdir -p {root}/etc/umlnet {root}/var/log/umlnet {root}/dev/net {root}/proc {root}/run/umlnet-test-bin {root}/old
for dir in usr lib lib64 bin; do [ ! -d /$dir ] || {{ mkdir -p {root}/$dir; mount --rbind /$dir {root}/$dir; }}; done
mount --rbind /run/umlnet-test-bin {root}/run/umlnet-test-bin
mount --rbind /dev {root}/dev
mount --rbind /proc {root}/proc
echo 'root:x:0:0::/:/bin/sh' >{root}/etc/passwd
echo 'root:x:0:' >{root}/etc/group
printf '%s' '{policy}' >{root}/etc/umlnet/policy.json
: >{root}/var/log/umlnet/audit.jsonl
: >{root}/var/log/umlnet/audit.refusals
chmod 600 {root}/var/log/umlnet/*
cd {root}
/usr/bin/python3 -c '{pivot_root}'
exec "$@"
"""


def c_array(*words: bytes) -> Any:
    return (ctypes.c_char_p * (len(words) + 1))(*words, None)


class EnvironmentCase(HostileCase):
    def setUp(self) -> None:
        super().setUp()
        self.den = world.test_bin() / "den"
        self.den.mkdir(exist_ok=True)
        self.den.chmod(0o777)
        self.addCleanup(world.sh, "rm", "-rf", str(self.den))


class Environment(EnvironmentCase):
    def setUp(self) -> None:
        super().setUp()
        self.mark = self.den / "loaded"
        source = self.den / "evil.c"
        source.write_text(LIBRARY % self.mark)
        world.sh("gcc", "-shared", "-fPIC", "-o", str(self.den / "evil.so"), str(source))
        for name in LIBRARIES:
            if not (self.den / name).exists():
                (self.den / name).symlink_to("evil.so")

    def environments(self) -> dict[str, dict[Any, Any]]:
        den, evil = str(self.den), str(self.den / "evil.so")
        tunables = "glibc.malloc.mxfast=glibc.malloc.mxfast=" + "A" * 1000 + ":"
        one_by_one: dict[str, str] = {
            "LD_PRELOAD": evil, "LD_AUDIT": evil, "LD_LIBRARY_PATH": den, "LD_DEBUG": "all", "LD_DEBUG_OUTPUT": f"{den}/debug",
            "LD_PROFILE_OUTPUT": den, "LD_ORIGIN_PATH": den, "LD_BIND_NOW": "1", "LD_SHOW_AUXV": "1",
            "LD_HWCAP_MASK": "0", "LD_DYNAMIC_WEAK": "1", "LD_USE_LOAD_BIAS": "1",
            "GLIBC_TUNABLES": (tunables * 70)[:65536], "BASH_ENV": f"{den}/evil.sh", "ENV": f"{den}/evil.sh", "IFS": "x",
            "LC_ALL": "../../.." + den, "LANG": "../" * 100, "LOCPATH": den, "NLSPATH": f"{den}/%N", "GCONV_PATH": den,
            "TZ": f":{den}/zone", "TZDIR": den, "TMPDIR": den, "PATH": den, "HOME": den, "HOSTALIASES": f"{den}/hosts",
            "RES_OPTIONS": "debug", "RESOLV_HOST_CONF": f"{den}/hosts", "GETCONF_DIR": den, "MALLOC_TRACE": f"{den}/malloc",
            "MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "255", "MALLOC_ARENA_MAX": "0", "MALLOC_MMAP_THRESHOLD_": "-1",
            "MALLOC_TOP_PAD_": "18446744073709551615", "GLIBCXX_TUNABLES": "glibcxx.eh_pool.obj_count=999999999",
            "LIBSECCOMP_LOG": "3", "ASAN_OPTIONS": f"log_path={den}/asan", "UMLNET_POLICY": f"{den}/policy.json",
            "": "nameless", "A": "x" * 100_000,
        }
        all_of_them = {**one_by_one, **{f"X{number}": "x" * 1000 for number in range(500)}}
        return {**{name: {name: value} for name, value in one_by_one.items() if name}, "all of them": all_of_them, "none": {}}

    def test_it_changes_nothing(self) -> None:
        for how, helper in self.helpers.items():
            for what, environment in self.environments().items():
                with self.subTest(how, environment=what):
                    environment.pop("", None)
                    self.assert_served("up", helper, env=environment)
            with self.subTest(how, environment="all of them, for every operation"):
                for operation in OPERATIONS:
                    self.assert_served(operation, helper, env=self.environments()["all of them"])
        self.assertEqual(sorted(path.name for path in self.den.iterdir()), sorted([*LIBRARIES, "evil.c"]))

    def test_the_evil_library_is_one_to_a_program_without_privilege(self) -> None:
        """So that the test above can fail."""
        caller.run("/bin/true", user=NOBODY, env={"LD_PRELOAD": str(self.den / "evil.so")})
        self.assertTrue(self.mark.exists())

    def test_neither_a_list_of_its_libraries_nor_a_profile_is_to_be_had(self) -> None:
        """A loader may refuse the one, and look for a directory of the system's for the other, which is not there."""
        for how, helper in self.helpers.items():
            for environment in ({"LD_TRACE_LOADED_OBJECTS": "1"}, {"LD_PROFILE": "libc.so.6", "LD_PROFILE_OUTPUT": str(self.den)}):
                with self.subTest(how, environment=list(environment)):
                    done = caller.run(helper, "gc", user=NOBODY, env=environment)
                    self.assertNotIn(b"=>", done.stdout)
                    self.assert_host_unchanged()
        self.assertEqual(sorted(path.name for path in self.den.iterdir()), sorted([*LIBRARIES, "evil.c"]))

    def test_words_that_are_no_variables(self) -> None:
        array = c_array(b"no equals sign", b"=", b"=x", b"", b"\xff\xfe=\x80", b"A=1", b"A=2", b"LD_PRELOAD" * 3000)
        for how, helper in self.helpers.items():
            path, argv = str(helper).encode(), c_array(b"uml_net", *(word.encode() for word in OPERATIONS["up"].words))
            with self.subTest(how):
                self.assert_served("up", "/bin/true", preexec_fn=lambda: LIBC.execve(path, argv, array))


class Places(EnvironmentCase):
    def test_other_names_of_the_helper(self) -> None:
        """Where it lies when it is started decides nothing: not on its policy, its log, its libraries."""
        (self.den / "policy.json").write_text("{}")
        names = {}
        for how, helper in self.helpers.items():
            soft, hard, odd = (self.den / f"{how}-{name}" for name in ("soft", "hard", "-4\n"))
            soft.symlink_to(helper)
            os.link(helper, hard)
            odd.symlink_to(hard)
            names.update({f"{how}, symlink": soft, f"{how}, hard link": hard, f"{how}, both": odd})
        for name, path in names.items():
            for operation in OPERATIONS:
                with self.subTest(name, operation=operation):
                    self.assert_served(operation, path, cwd=self.den)

    def test_a_copy_has_no_privilege(self) -> None:
        for how, helper in self.helpers.items():
            copy = self.den / how
            subprocess.run(["cp", "--preserve=mode", helper, copy], check=True, **as_user(NOBODY))
            for operation, what in OPERATIONS.items():
                with self.subTest(how, operation=operation):
                    self.assert_refused_whole(call(copy, what.channel, what.words), "CAP_NET_ADMIN")

    def test_an_odd_working_directory(self) -> None:
        gone, closed = self.den / "gone", self.den / "closed"
        closed.mkdir(mode=0o700)
        for how, helper in self.helpers.items():
            for what, prefix in (("deleted", f'mkdir {gone}; cd {gone}; rmdir {gone}; exec "$0" "$@"'),
                                 ("/proc/self/fd", 'cd /proc/self/fd; exec "$0" "$@"')):
                for operation in OPERATIONS:
                    with self.subTest(how, directory=what, operation=operation):
                        self.assert_served(operation, helper, prefix=["/bin/sh", "-c", prefix])
            with self.subTest(how, directory="closed to the caller"):
                self.assert_served("up", helper, user=None, prefix=["/usr/bin/env", "-C", closed, *AS_NOBODY])

    def test_the_file_mode_mask(self) -> None:
        for how, helper in self.helpers.items():
            for mask in (0, 0o777):
                for operation in OPERATIONS:
                    with self.subTest(how, umask=oct(mask), operation=operation):
                        self.assert_served(operation, helper, umask=mask)


class LessPrivilege(EnvironmentCase):
    """A helper that was started without what it needs says so, and does not try."""

    def assert_not_privileged(self, **more: Any) -> None:
        for how, helper in self.helpers.items():
            for operation, what in OPERATIONS.items():
                with self.subTest(how, operation=operation):
                    reply = call(helper, what.channel, what.words, **more)
                    self.assert_refused_whole(reply, "CAP_NET_ADMIN", exit_status=1 if operation == "bridge" else 77)

    def test_no_new_privileges(self) -> None:
        self.assert_not_privileged(preexec_fn=lambda: LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))

    def test_an_empty_bounding_set(self) -> None:
        self.assert_not_privileged(user=None, prefix=[*AS_NOBODY, "--bounding-set=-all"])

    def test_a_bounding_set_without_the_one(self) -> None:
        self.assert_not_privileged(user=None, prefix=[*AS_NOBODY, "--bounding-set=-net_admin"])

    def test_a_bounding_set_of_nothing_but_the_one(self) -> None:
        for how, helper in self.helpers.items():
            for operation in OPERATIONS:
                with self.subTest(how, operation=operation):
                    self.assert_served(operation, helper, user=None, prefix=[*AS_NOBODY, "--bounding-set=-all,+net_admin"])

    def test_inheritable_and_ambient_capabilities(self) -> None:
        for how, helper in self.helpers.items():
            for what in (["--inh-caps=+net_admin,+setuid"], ["--inh-caps=+net_admin", "--ambient-caps=+net_admin"]):
                with self.subTest(how, what=what):
                    self.assert_served("up", helper, user=None, prefix=[*AS_NOBODY, *what])

    def test_root_that_means_nothing(self) -> None:
        """SECBIT_NOROOT: a set-user-ID program of root's then gets no capability from that."""
        helper, what = self.helpers["setuid"], OPERATIONS["up"]
        reply = call(helper, what.channel, what.words, user=None, prefix=[*AS_NOBODY, "--securebits=+noroot"])
        self.assert_refused_whole(reply, "CAP_NET_ADMIN", exit_status=77)

    def test_a_personality(self) -> None:
        for how, helper in self.helpers.items():
            for flags in (ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC):
                with self.subTest(how, flags=hex(flags)):
                    self.assert_served("up", helper, preexec_fn=lambda: LIBC.personality(flags))


class WorldsOfTheCallersOwn(EnvironmentCase):
    """In a user namespace of his own the caller is root, and may make policies there as he likes: of nothing but that."""

    POLICY = json.dumps({**POLICY, "rules": [{**POLICY["rules"][0], "users": ["*"]}]})  # type: ignore[index]

    def setUp(self) -> None:
        userns.require()
        super().setUp()

    def enter(self, helper: Path, flags: str, script: str, operation: str) -> caller.Reply:
        what = OPERATIONS[operation]
        reply = call(helper, what.channel, what.words, prefix=["/usr/bin/unshare", flags, "sh", "-c", script, "sh"])
        self.addCleanup(reply.close)
        return reply

    def test_a_forged_policy_in_place(self) -> None:
        """Its directories up to / are the real root's, which is nobody here."""
        log = world.LOG.read_bytes()
        script = ("mount -t tmpfs none /etc/umlnet && mount -t tmpfs none /var/log/umlnet && "
                  f"echo '{self.POLICY}' >/etc/umlnet/policy.json && : >/var/log/umlnet/audit.jsonl && "
                  ": >/var/log/umlnet/audit.refusals && exec \"$@\"")
        for how, helper in self.helpers.items():
            for flags in ("-Urmn", "-Urm"):
                for operation in OPERATIONS:
                    with self.subTest(how, flags=flags, operation=operation):
                        reply = self.enter(helper, flags, script, operation)
                        self.assertNotEqual(reply.exit, 0)
                        self.assert_refused_whole(reply)
        self.assertEqual(world.LOG.read_bytes(), log)

    def test_a_whole_forged_root(self) -> None:
        """With the host's own network namespace the kernel refuses; in one of the caller's nothing of the host is there."""
        log = world.LOG.read_bytes()
        root = self.den / "root"
        root.mkdir()
        script = FORGED_ROOT.format(root=root, policy=self.POLICY, pivot_root=PIVOT_ROOT)
        for how, helper in self.helpers.items():
            for operation in OPERATIONS:
                with self.subTest(how, operation=operation):
                    reply = self.enter(helper, "-Urm", script, operation)
                    self.assertIn("uml_net: ", reply.text if reply.data else reply.stderr)
                    self.assert_refused_whole(reply)
            with self.subTest(how, network="of his own"), self.enter(helper, "-Urmn", script, "up") as reply:
                self.assertEqual((reply.exit, len(reply.fds)), (0, 1), reply)  # so the forgery is a good one
                self.assert_host_unchanged()
        self.assertEqual(world.LOG.read_bytes(), log)


if __name__ == "__main__":
    unittest.main()
