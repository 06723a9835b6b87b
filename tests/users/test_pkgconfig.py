"""Somebody else's program, built by a plain compiler against what `meson install` put in place, and run by an ordinary
user with the installed helper."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from tests.support import world
from tests.support.example import Example
from tests.support.install import PREFIX, InstallCase

NOBODY = 65534
GATE, GUEST = "10.99.0.254", "10.99.0.1"
POLICY = {"version": 1, "rules": [{"name": "guests", "users": [NOBODY], "operations": ["tuntap", "address"],
                                   "gateways": ["10.99.0.0/16"], "guests": ["10.99.0.0/16"]}]}
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
COMPILERS = (("gcc", "g++"), ("clang-19", "clang++-19"))


class PkgConfig(InstallCase):
    tun_mode = 0o600

    def setUp(self) -> None:
        super().setUp()
        self.install()
        world.write_policy(POLICY)
        self.group = (PREFIX / "bin" / "uml_net").stat().st_gid
        (self.library,) = (path.parent for path in PREFIX.rglob("libumlnet.so.1"))
        self.source = PREFIX / "share" / "doc" / "umlnet" / "examples"
        self.out = Path(tempfile.mkdtemp(dir=PREFIX))
        self.out.chmod(0o755)

    def pkg_config(self, *words: str) -> list[str]:
        return world.sh("env", f"PKG_CONFIG_PATH={self.library}/pkgconfig", "pkg-config", *words, "libumlnet").split()

    def compile(self, *argv: str | Path) -> None:
        done = subprocess.run([str(word) for word in argv], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""), argv)

    def compilers(self) -> list[tuple[str, str]]:
        there = [pair for pair in COMPILERS if all(shutil.which(name) for name in pair)]
        self.assertTrue(there)
        return there

    def answers(self, program: Path, library: Path | str) -> None:
        before = world.snapshot()
        with Example(program, f"tuntap,,,{GATE}", GUEST, helper=None, user=NOBODY, groups=[self.group],
                     library=Path(library)) as running:
            running.hear(f"{GUEST} routed to tap0")
            self.assertTrue(world.ping(GUEST, 1400))
            self.assertEqual(running.end(), 0, running.said)
        self.assertEqual(world.snapshot(), before)

    def test_a_program_in_c(self) -> None:
        for cc, _ in self.compilers():
            with self.subTest(cc):
                program = self.out / f"answer-{cc}"
                self.compile(cc, "-std=c11", *STRICT, *self.pkg_config("--cflags"), self.source / "answer.c",
                             *self.pkg_config("--libs"), "-o", program)
                needed = world.sh("readelf", "-d", str(program))
                self.assertIn("[libumlnet.so.1]", needed)
                self.assertNotIn("stdc++", needed)
                self.answers(program, self.library)

    def test_a_program_in_cpp(self) -> None:
        for _, cxx in self.compilers():
            with self.subTest(cxx):
                program = self.out / f"answer-{cxx}"
                self.compile(cxx, "-std=c++17", *STRICT, *self.pkg_config("--cflags"), self.source / "answer.cc",
                             *self.pkg_config("--libs"), "-o", program)
                self.answers(program, self.library)

    def test_static_programs(self) -> None:
        """Nothing of the library is needed where they run."""
        for compiler, source in (("gcc", "answer.c"), ("g++", "answer.cc"), ("gcc", "two_guests.c")):
            with self.subTest(source):
                program = self.out / f"static-{source}"
                self.compile(compiler, "-static", *self.pkg_config("--cflags"), self.source / source,
                             *self.pkg_config("--static", "--libs"), "-o", program)
                self.assertIn("no dynamic section", world.sh("readelf", "-d", str(program)))
                if source != "two_guests.c":
                    self.answers(program, "/nonexistent")

    def test_the_headers_alone(self) -> None:
        c_header, cpp_header = (PREFIX / "include" / "umlnet" / name for name in ("umlnet.h", "umlnet.hpp"))
        for cc, cxx in self.compilers():
            with self.subTest(cc):
                self.compile(cc, "-std=c11", *STRICT, "-fsyntax-only", "-x", "c", c_header)
                for standard in ("c++11", "c++17"):
                    self.compile(cxx, f"-std={standard}", *STRICT, "-fsyntax-only", "-x", "c++", c_header)
                for standard in ("c++17", "c++2b"):
                    self.compile(cxx, f"-std={standard}", *STRICT, "-Wnon-virtual-dtor", "-fsyntax-only", "-x", "c++",
                                 cpp_header)

    def test_the_example_of_the_manual_compiles(self) -> None:
        page = (PREFIX / "share" / "man" / "man3" / "libumlnet.3").read_text()
        example = page[page.index(".Sh EXAMPLES"):].partition(".Bd -literal -offset indent\n")[2].partition(".Ed\n")[0]
        self.assertIn("umlnet_nic_open", example)
        source = self.out / "manual.c"
        source.write_text(example.replace("\\e", "\\"))
        self.compile("gcc", "-std=c11", *STRICT, *self.pkg_config("--cflags"), "-c", source, "-o", self.out / "manual.o")

    def test_the_wrapper_shares_no_name_with_the_static_library(self) -> None:
        """Both have things in a namespace umlnet; one definition for two meanings would be taken by the linker unseen."""
        uses_all = self.out / "uses_all.cc"
        uses_all.write_text("#include <umlnet/umlnet.hpp>\n"
                            "struct Wire : umlnet::Transport {\n"
                            "  std::optional<std::size_t> read(void*, std::size_t) override { return {}; }\n"
                            "  bool write(const void*, std::size_t) override { return true; }\n"
                            "};\n"
                            "umlnet::Error copy(const umlnet::Error& error) { return error; }\n"
                            "void use(umlnet::Nic& nic, umlnet::Nic& other) {\n"
                            "  nic = std::move(other);\n"
                            "  nic.open(), nic.add_address(nic.setup().device, \"24\"), nic.delete_address(\"\", \"\");\n"
                            "  nic.write(\"\", *nic.read(nullptr, 0)), nic.close();\n"
                            "  umlnet::register_transport(umlnet::transports()[0], [](const umlnet::Setup&,\n"
                            "    const umlnet::Options&) { return std::make_unique<Wire>(); });\n"
                            "  umlnet::Pump pump(umlnet::End::of(nic), umlnet::End::callback([&](void* frame, std::size_t room) {\n"
                            "    return nic.read(frame, room); }, [](const void*, std::size_t) { return true; }).name(\"b\"));\n"
                            "  pump.run(), pump.start(), pump.wait(), pump.stop(), pump.counters(), pump.enter_sandbox();\n"
                            "}\n")
        object_file = self.out / "uses_all.o"
        self.compile("g++", "-std=c++17", *STRICT, *self.pkg_config("--cflags"), "-c", uses_all, "-o", object_file)

        def names(path: Path) -> set[str]:
            lines = world.sh("nm", "--defined-only", "--extern-only", "--format=posix", str(path)).splitlines()
            return {name for name in (line.split()[0] for line in lines if line.strip()) if "6umlnet" in name}

        ours, librarys = names(object_file), names(self.library / "libumlnet.a")
        self.assertGreater(len(ours), 20)
        self.assertGreater(len(librarys), 20)
        self.assertEqual(ours & librarys, set())


if __name__ == "__main__":
    unittest.main()
