"""No change of the host without a decision: what would need no Grant, or another Plan than the one made for it, does not
compile. Each attempt is one line of a program; the compiler must object to every one of them, and to nothing else."""

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMPILER = os.environ.get("CXX", "c++").split()[-1]

BEFORE = """
#include "uml_net/priv/execute.h"
#include "uml_net/priv/kernel_effects.h"
#include "uml_net/priv/plan.h"
using namespace umlnet;
void serve(const policy::Policy& policy, const policy::Caller& caller, const Request& request, const RequestId& id,
           const policy::HostState& host, priv::HostEffects& effects, priv::KernelEffects& kernel) {
  const auto grant = policy::decide(policy, caller, request, host);
  if (!grant) return;
  const auto plan = priv::make_plan(*grant, id, host);
  if (!plan) return;
"""
AFTER = "}\n"
HONEST = """
  auto outcome = priv::execute(*plan, effects);
  const auto end = priv::plan_session_end(*grant, id);
  if (end) outcome = priv::execute(*end, kernel);
  if (outcome) priv::rollback(*std::move(outcome), &host, effects);
"""
ATTEMPTS = """
  const policy::Grant grant2(request, 0, {}, {}, {});
  const policy::Grant grant2{};
  const priv::Plan plan2{};
  const priv::Plan plan2(*grant, {}, {}, {});
  const priv::Plan plan2{.changes = {priv::DeleteTapDevice{}}};
  struct Own : priv::Plan { Own(const policy::Grant& g) : priv::Plan(g, {}, {}, {}) {} };
  plan->changes().push_back(priv::DeleteTapDevice{});
  priv::Plan(*plan).changes().push_back(priv::DeleteTapDevice{});
  priv::Plan(*plan).grant() = *grant;
  priv::Planner::plan(*grant, {}, {}, {});
  priv::execute(*grant, effects);
  priv::execute({priv::DeleteTapDevice{}}, effects);
  priv::execute(*grant, *plan, host, effects);
  priv::take_back_group(7, effects);
  effects.delete_link(2);
  effects.delete_group(7);
  effects.make_tap({.owner = 0});
  kernel.delete_link(2);
  kernel.make_tap({.owner = 0});
  struct Open : priv::HostEffects { void go(priv::HostEffects& e) { e.set_up(2); } };
"""


def objections(lines: str) -> tuple[list[int], str]:
    """The lines, counted from 1, that the compiler objects to, and all that it says."""
    with tempfile.NamedTemporaryFile("w", suffix=".cc") as source:
        source.write(BEFORE + lines + AFTER)
        source.flush()
        done = subprocess.run([COMPILER, "-std=c++23", "-fsyntax-only", "-I", ROOT, source.name], capture_output=True, text=True)
        numbers = re.findall(re.escape(source.name) + r":(\d+):\d+: error:", done.stderr)
    return sorted({int(number) - BEFORE.count("\n") for number in numbers}), done.stderr


class Forgery(unittest.TestCase):
    def test_what_goes_by_a_decision_compiles(self) -> None:
        self.assertEqual(objections(HONEST)[0], [], objections(HONEST)[1])

    def test_nothing_else_does(self) -> None:
        found, said = objections(ATTEMPTS)
        for number, line in enumerate(ATTEMPTS.split("\n"), 1):
            with self.subTest(line=line.strip()):
                self.assertEqual(number in found, bool(line.strip()), said[:3000])


if __name__ == "__main__":
    unittest.main()
