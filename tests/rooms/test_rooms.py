"""What needs privilege, or changes the host, stands in the rooms that a reviewer reads for it, and nowhere else."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for room in ("uml_net", "policy", "libumlnet") for path in (ROOT / room).rglob("*.[ch]*")
           if path.suffix in (".cc", ".h", ".hpp", ".c")]

# What to look for, and the files that may have it: a folder ends in "/".
ONLY_IN = {
    # Who has a TAP device of their own may attach to it without privilege; a terminal tells how wide it is.
    r"\bioctl\(": ["uml_net/priv/", "libumlnet/client/tun_attach.cc", "libumlnet/cli/terminal.cc"],
    r"AF_NETLINK|PF_NETLINK": ["libumlnet/core/netlink_socket.h", "uml_net/filters/tables.cc"],
    r"linux/if_tun\.h": ["uml_net/priv/", "uml_net/filters/", "libumlnet/client/tun_attach.cc"],
    r"\bcap_set_proc\b|\bcap_set_flag\b|<sys/capability\.h>": ["uml_net/sys/capability.cc"],
    r"\bset(res|re|e|fs)?[ug]id\(": ["uml_net/sys/take_identity.cc"],
    # The helper has no part of libseccomp: its filters are made when it is built.
    r"\bseccomp_\w+\(": ["uml_net/filters/generate.cc", "libumlnet/client/sandbox.cc", "libumlnet/client/syscall_name.cc"],
    # No other program, no module loaded at run time, no name service, nothing by way of the file system's switches.
    # But for the library's way to start the helper and the pump's program, for the command that `umlnet run` is for, and
    # for the programs that `umlnet doctor` asks; the switches are read by it, and nothing is ever written there.
    r"\bexec(l|v|ve|vp|lp|le|vpe|veat)\(": ["libumlnet/cli/command.cc"],
    r"\bSYS_(exec\w+|clone\w*|v?fork)\b": ["libumlnet/client/watcher.cc", "uml_net/worker/caller_worker.cc"],
    r"::v?fork\(|::clone\(": ["libumlnet/client/watcher.cc", "libumlnet/client/watched_process.cc",
                             "libumlnet/cli/command.cc", "uml_net/worker/worker.cc", "uml_net/worker/caller_worker.cc", "uml_net/front/front.cc",
                             "uml_net/worker/relay_process.cc"],
    r"\bsystem\(|\bpopen\(": [],
    r"\bposix_spawn": ["libumlnet/cli/restorer.cc", "libumlnet/cli/this_host.cc"],
    r"\bdlopen\(|\bgetpw(nam|uid)|\bgetgr(nam|gid)|\bgetaddrinfo\(|\bgethostby": ["libumlnet/cli/user_names.cc"],
    r"/proc/sys/(?!fs/suid_dumpable)": ["libumlnet/cli/forwarded_packets.cc", "libumlnet/cli/router_advertisements.cc",
                                              "libumlnet/cli/this_host.cc"],
    r"\bgetenv\(|\bsetlocale\(|#include <iostream>": [],
    r"\bsecure_getenv\(": ["libumlnet/client/helper_program.cc", "libumlnet/cli/this_host.cc"],
    # Only a command talks to people; the library is a guest in somebody's program.
    r"\bv?f?printf\(|\bf?puts\(|\bfputc\(": ["libumlnet/cli/", "libumlnet/examples/", "uml_net/filters/generate.cc"],
    # None in somebody's program; the process in which a pump runs is the library's own.
    r"\bstd::j?thread\b": ["libumlnet/cli/pump_process.", "libumlnet/client/pump_threads."],
}
# Which room may include which: imports go one way. "umlnet" is the C ABI, with what every program may include.
MAY_INCLUDE = {
    "libumlnet/include": ["umlnet"],
    "libumlnet/core": ["libumlnet/core"],
    "libumlnet/client": ["libumlnet/client", "libumlnet/core", "umlnet"],
    "libumlnet/cli": ["libumlnet/cli", "libumlnet/core", "policy", "umlnet"],
    "libumlnet/examples": ["umlnet"],
    "policy": ["policy", "libumlnet/core"],
    "policy/files": ["policy", "libumlnet/core"],
    "policy/loader": ["policy", "libumlnet/core"],
    "uml_net": ["uml_net", "policy", "libumlnet/core"],
    "uml_net/channel": ["uml_net/channel", "libumlnet/core"],
    "uml_net/executor": ["uml_net/executor", "uml_net/startup", "uml_net/worker", "uml_net/channel", "uml_net/filters", "uml_net/priv",
                         "uml_net/sys", "policy", "libumlnet/core"],
    "uml_net/filters": ["uml_net/filters", "libumlnet/core"],
    "uml_net/front": ["uml_net/front", "uml_net/channel", "uml_net/filters", "uml_net/sys", "libumlnet/core"],
    "uml_net/priv": ["uml_net/priv", "uml_net/sys", "policy", "libumlnet/core"],
    "uml_net/recorder": ["uml_net/recorder", "uml_net/worker", "uml_net/channel", "uml_net/filters", "uml_net/sys", "policy", "libumlnet/core"],
    "uml_net/startup": ["uml_net/startup", "uml_net/filters", "uml_net/sys", "policy", "libumlnet/core"],
    "uml_net/sys": ["uml_net/sys", "libumlnet/core"],
    "uml_net/worker": ["uml_net/worker", "uml_net/priv", "uml_net/filters", "uml_net/sys", "libumlnet/core"],
}
# Rooms within those that stay closed: decisions are pure, and rest on values.
CLOSED = {"policy": ["policy/loader", "policy/files"], "policy/loader": ["policy/files"], "uml_net/priv": ["policy/loader", "policy/files"]}


class Rooms(unittest.TestCase):
    def test_there_is_something_to_look_at(self) -> None:
        self.assertGreater(len(SOURCES), 50)
        for pattern, rooms in ONLY_IN.items():
            if rooms:
                self.assertTrue(any(re.search(pattern, path.read_text()) for path in SOURCES), pattern)

    def test_privilege_stays_in_its_rooms(self) -> None:
        for pattern, rooms in ONLY_IN.items():
            for path in SOURCES:
                name = str(path.relative_to(ROOT))
                if any(name.startswith(room) for room in rooms):
                    continue
                for number, line in enumerate(path.read_text().splitlines(), 1):
                    self.assertNotRegex(line, pattern, f"{name}:{number} belongs in {rooms or 'no file at all'}")

    def test_imports_go_one_way(self) -> None:
        for path in SOURCES:
            name = str(path.relative_to(ROOT))
            room = max((room for room in MAY_INCLUDE if name.startswith(f"{room}/")), key=len)
            for included in re.findall(r'#include "([^"]+/[^"]+)"', path.read_text()):
                self.assertTrue(any(included.startswith(f"{other}/") for other in MAY_INCLUDE[room]), f"{name} includes {included}")
                self.assertFalse(any(included.startswith(f"{other}/") for other in CLOSED.get(room, ())), f"{name} includes {included}")

    def test_a_folder_is_read_at_once_and_a_file_in_one_sitting(self) -> None:
        folders: dict[Path, set[str]] = {}
        for path in SOURCES:
            folders.setdefault(path.parent, set()).add(path.stem)
            if path.name not in ("umlnet.h", "umlnet.hpp"):  # the whole interface, and its manual
                self.assertLessEqual(len(path.read_text().splitlines()), 450, path)
        for folder, modules in folders.items():
            if folder.is_relative_to(ROOT / "uml_net") or folder.is_relative_to(ROOT / "policy"):
                self.assertLessEqual(len(modules), 16, folder)
        self.assertLess(len((ROOT / "uml_net/main.cc").read_text().splitlines()), 120)

    def test_policy_reads_files_in_one_way_only(self) -> None:
        """Decisions are pure: what they rest on comes by the reader of files that nobody but root can write."""
        for path in (ROOT / "policy").rglob("*.[ch]*"):
            if path.name != "trusted_file.cc":
                self.assertNotRegex(path.read_text(), r"<fcntl\.h>|<fstream>|<filesystem>|<cstdio>|<sys/(socket|mman)\.h>", path.name)

    def test_no_other_folder_at_the_top(self) -> None:
        expected = {"uml_net", "libumlnet", "policy", "tests", "man"}
        folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(("build", "."))}
        self.assertEqual(folders, expected)


if __name__ == "__main__":
    unittest.main()
