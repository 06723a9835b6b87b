"""README against what it describes."""

import unittest

from tests.support import readme


class Readme(unittest.TestCase):
    def test_install_it_names_the_packages_that_install_packages_installs(self) -> None:
        self.assertEqual(readme.packages(), readme.listed_packages())


if __name__ == "__main__":
    unittest.main()
