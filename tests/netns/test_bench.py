"""The benchmark runs, whatever it measures: no time is looked at here."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from tests.support.case import HELPER, ROOT

PATIENCE = 120  # seconds


class Benchmark(unittest.TestCase):
    def test_the_helpers_part_yields_numbers_and_tables(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            output = Path(directory) / "results.json"
            done = subprocess.run(
                [sys.executable, "-m", "tests.bench.main", "--quick", "--rounds", "1", "--json", str(output), "helper"],
                cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE,
                env={**os.environ, "UMLNET_HELPER": str(HELPER)})
            self.assertEqual(done.returncode, 0, done.stderr)
            results = json.loads(output.read_text())
        for how in ("setuid", "filecap"):
            for name in (f"uml_net, {how}", f"uml_net as bridge helper, {how}", "floor", "uml_net of 2007",
                         "qemu-bridge-helper", "ip, from sh"):
                self.assertGreater(results["helper"]["alone"][name]["p50_us"], 0)
                self.assertGreater(results["helper"]["alone"][name]["ratio_to_floor"], 0)
        self.assertEqual(set(results["helper"]), {"alone", "ratios", "2 callers", "4 callers", "8 callers"})
        self.assertEqual(set(results["growth"]["devices"]), {"0", "100"})
        self.assertIn("umlnet ls", results["growth"]["devices"]["100"])
        self.assertGreater(results["size"]["uml_net, setuid"]["peak_kib"], 0)
        self.assertIn("| uml_net, setuid |", done.stdout)


if __name__ == "__main__":
    unittest.main()
