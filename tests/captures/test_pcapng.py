"""What Wireshark's programs read in a capture that tests/captures/sample.cc wrote."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / os.environ.get("UMLNET_BUILD", "build-tests") / "tests" / "captures" / "sample"


class Pcapng(unittest.TestCase):
    def setUp(self) -> None:
        self.file = self.enterContext(tempfile.NamedTemporaryFile(suffix=".pcapng"))
        subprocess.run([SAMPLE], stdout=self.file, check=True)

    def tshark(self, *argv: str) -> list[list[str]]:
        done = subprocess.run(["tshark", "-r", self.file.name, *argv], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def fields(self, *names: str) -> list[list[str]]:
        return self.tshark("-T", "fields", *(word for name in names for word in ("-e", name)))

    def test_interfaces_times_directions_and_lengths_of_packets(self) -> None:
        self.assertEqual(
            self.fields("frame.interface_name", "frame.interface_description", "frame.time_epoch", "frame.len",
                        "frame.cap_len", "frame.packet_flags_direction", "frame.drop_count"),
            [["tap0", "guest one", "1700000000.000000001", "58", "58", "0x00000001", ""],
             ["tap1", "", "1700000001.500000000", "58", "50", "0x00000002", "7"],
             ["tap0", "guest one", "1700000002.000000000", "58", "58", "", ""]])

    def test_packets_are_ethernet(self) -> None:
        self.assertEqual(self.fields("eth.src", "ip.src", "udp.dstport", "udp.length"),
                         3 * [["02:00:00:00:00:02", "10.99.0.1", "8738", "24"]])

    def test_the_file_says_who_wrote_it_and_what_came_by(self) -> None:
        done = subprocess.run(["capinfos", self.file.name], capture_output=True, text=True, check=True)
        self.assertRegex(done.stdout, r"(?m)^Capture application: +umlnet 0\.1\.0$")
        self.assertRegex(done.stdout, r"(?m)^Number of interfaces in file: +2$")
        self.assertRegex(done.stdout, r"(?m)^File timestamp precision: +nanoseconds \(9\)$")
        # The file itself, taken apart block by block.
        blocks = [line[0].strip() for line in self.tshark("-X", "read_format:MIME Files Format", "-V")]
        for line in ("Number of Received Packets: 10", "Number of Dropped Packets: 0",
                     "Number of Received Packets: 11", "Number of Dropped Packets: 7"):
            self.assertEqual(blocks.count(line), 1, line)
        self.assertEqual(blocks.count("[Timestamp: Nov 14, 2023 22:13:23.000000000 UTC]"), 2)
        self.assertFalse([line for line in blocks if "Expert" in line or "Malformed" in line])


if __name__ == "__main__":
    unittest.main()
