"""How checks become results, and what the documentation must say of them."""

import ast
import contextlib
import io
import pathlib
import unittest

from runner import report
from runner.checks import Group, Skipped, check, expect, fixture
from runner.coverage import findings
from runner.groups import ALL


class Site:
    def __init__(self, **document):
        self.discovery, self.clients, self.config = document, {}, {}


class Example(Group):
    name = "example"
    capabilities = ("launch-ehr",)
    tries = 0

    @fixture
    def base(self):
        Example.tries += 1
        expect(False, "the base is not there")

    @check("good", "It is well", 1)
    def good(self):
        pass

    @check("one", "It stands on the base", 1, 2)
    def one(self):
        self.base

    @check("other", "So does this")
    def other(self):
        self.base

    @check("left", "It is not advertised")
    def left(self):
        raise Skipped("there is none")


class Results(unittest.TestCase):
    def states(self, site, require=False, left_out=()):
        with contextlib.redirect_stderr(io.StringIO()):
            results, _ = report.run(site, [Example], require, left_out)
        return [(result.id, result.state) for result in results]

    def test_checks_run_in_the_order_in_which_they_are_written(self):
        states = self.states(Site(capabilities=["launch-ehr"]))

        self.assertEqual(
            states,
            [("example.good", "passed"), ("example.one", "failed"), ("example.other", "failed"), ("example.left", "skipped")],
        )

    def test_what_several_stand_on_is_made_once_and_fails_for_all(self):
        Example.tries = 0

        results = list(Example(Site(capabilities=["launch-ehr"])).run())

        self.assertEqual(Example.tries, 1)
        self.assertEqual({result.reason for result in results if result.state == "failed"}, {"the base is not there"})

    def test_what_is_not_advertised_is_skipped_and_failed_when_it_is_required(self):
        self.assertEqual({state for _, state in self.states(Site(capabilities=[]))}, {"skipped"})
        self.assertEqual({state for _, state in self.states(Site(capabilities=[]), require=True)}, {"failed"})
        self.assertEqual(self.states(Site(capabilities=["launch-ehr"]), require=True)[-1], ("example.left", "failed"))

    def test_what_is_left_out_is_not_required_and_must_not_pass(self):
        site = Site(capabilities=["launch-ehr"])

        states = dict(self.states(site, require=True, left_out={"example.left": "why", "example.good": "why"}))

        self.assertEqual((states["example.left"], states["example.good"]), ("skipped", "failed"))

    def test_a_mistake_of_the_runner_is_not_taken_for_one_of_the_server(self):
        class Broken(Group):
            name = "broken"

            @check("a", "It divides")
            def divides(self):
                1 / 0

        with self.assertRaises(ZeroDivisionError):
            list(Broken(Site()).run())


class Names(unittest.TestCase):
    def test_groups_and_checks_have_names_of_their_own(self):
        ids = [check.id for group in ALL for check in group.checks()]

        self.assertEqual(len(ids), len(set(ids)))
        self.assertTrue(all(group.checks() and group.says for group in ALL))

    def test_groups_share_no_names_with_methods_that_they_need(self):
        for group in ALL:
            for name in ("run", "checks", "made", "site"):
                self.assertNotIn(name, vars(group), group.name)

    def test_no_method_hides_another_of_its_name(self):
        for path in (pathlib.Path(__file__).parent / "runner").rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    names = [method.name for method in node.body if isinstance(method, ast.FunctionDef)]
                    self.assertEqual(len(names), len(set(names)), f"{path.name}: {node.name}")


class Documentation(unittest.TestCase):
    TEXT = """## SMART App Launch 2.2

| requirement | words | shown by |
| [1](https://a.example#a) | It is well | `example.good`, `tests/it/a.rs` |
| [2](https://a.example#b) | It stands | `example.one` |

## Other
`example.nothing`
"""

    def found(self, text=TEXT, strengths=None):
        return list(findings(text, Example.checks(), strengths))

    def test_what_agrees_has_no_findings(self):
        self.assertEqual(self.found(strengths={1: "SHALL", 2: "SHALL NOT", 3: "MAY"}), [])

    def test_a_check_that_does_not_exist_is_found(self):
        self.assertIn("example.gone", self.found(self.TEXT.replace("example.one", "example.gone"))[0])

    def test_a_check_that_does_not_name_the_requirement_is_found(self):
        self.assertIn("requirement 2", self.found(self.TEXT.replace("example.one", "example.good"))[0])

    def test_a_requirement_that_is_left_out_or_made_up_is_found(self):
        self.assertEqual(self.found(strengths={1: "SHALL", 2: "SHALL", 4: "SHALL"}), ["the documentation lacks requirement 4"])
        self.assertIn("is not one on servers", self.found(strengths={1: "SHALL"})[0])


if __name__ == "__main__":
    unittest.main()
