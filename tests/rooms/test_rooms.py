"""What needs privilege, or changes the host, stands in the rooms that a reviewer reads for it, and nowhere else."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for room in ("uml_net", "policy", "libumlnet") for path in (ROOT / room).rglob("*.[ch]*")
           if path.suffix in (".cc", ".h", ".hpp", ".c")]

# What to look for, and the files that may have it: a folder ends in "/". Below libumlnet/, nothing has any privilege;
# each file that does there what the privileged program does in its rooms, or never, is named.
ONLY_IN = {
    r"\bioctl\(": ["uml_net/priv/", "libumlnet/client/tun_attach.cc", "libumlnet/cli/terminal.cc"],
    r"AF_NETLINK": ["uml_net/priv/", "libumlnet/cli/network_state.cc"],
    r"linux/if_tun\.h": ["uml_net/priv/", "libumlnet/client/tun_attach.cc"],
    r"\bcap_set_proc\b|\bcap_set_flag\b|sys/capability\.h": ["uml_net/priv/"],
    r"\bset(res|re|e|fs)?[ug]id\(": ["uml_net/identity.cc"],
    r"\bseccomp_\w+\(": ["libumlnet/core/seccomp_filter.cc"],
    # No other program, no module loaded at run time, no name service, nothing by way of the file system's switches.
    r"\bexec(l|v|ve|vp|lp|le|vpe|veat)\(|\bsystem\(|\bpopen\(|\bposix_spawn": [
        "libumlnet/cli/command.cc", "libumlnet/cli/this_host.cc"],
    r"\bdlopen\(|\bgetpw(nam|uid)|\bgetgr(nam|gid)|\bgetaddrinfo\(|\bgethostby": ["libumlnet/cli/user_names.cc"],
    r"/proc/sys/(?!fs/suid_dumpable)": ["libumlnet/cli/forwarded_packets.cc", "libumlnet/cli/this_host.cc"],
    r"\bgetenv\(|\bsetlocale\(|#include <iostream>": [],
}
# Which room may include from which: imports go one way.
MAY_INCLUDE = {
    "libumlnet/core": ["libumlnet/core"],
    "libumlnet/include/umlnet": [],
    "libumlnet/client": ["libumlnet/core", "libumlnet/client", "umlnet"],
    "libumlnet/cli": ["libumlnet/core", "libumlnet/cli", "policy", "umlnet"],
    "libumlnet/examples": ["umlnet"],
    "policy": ["libumlnet/core", "policy"],
    "uml_net": ["libumlnet/core", "policy", "uml_net", "uml_net/priv"],
    "uml_net/priv": ["libumlnet/core", "policy", "uml_net/priv"],
}


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
            name = path.relative_to(ROOT)
            for included in re.findall(r'#include "([^"]+)/[^"/]+"', path.read_text()):
                self.assertIn(included, MAY_INCLUDE[str(name.parent)], f"{name} includes from {included}/")

    def test_no_other_folder_at_the_top(self) -> None:
        expected = {"uml_net", "libumlnet", "policy", "tests", "man"}
        folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(("build", "."))}
        self.assertEqual(folders, expected)


if __name__ == "__main__":
    unittest.main()
