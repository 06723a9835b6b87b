"""README against what it describes."""

import subprocess
import unittest

from tests.support import readme


class Readme(unittest.TestCase):
    def test_install_it_names_the_packages_that_install_packages_installs(self) -> None:
        listed = subprocess.run([readme.ROOT / "tests/support/install-packages", "--list", "build"], capture_output=True, text=True, check=True)
        self.assertEqual(readme.packages(), listed.stdout.split())


if __name__ == "__main__":
    unittest.main()
