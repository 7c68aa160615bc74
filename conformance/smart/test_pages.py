"""What a page says, and what is sent when a form is filled in."""

import email.message
import unittest

from runner.agent import Answer
from runner.flow import Choices, chosen_record, parameters
from runner.checks import Failed
from runner.pages import Page

CONSENT = """<!doctype html><title>t</title><style>h1 { color: red }</style>
<h1>Let <em>Pocket chart</em> see&hellip;</h1>
<form method="post" action="/auth/authorize?step=2">
  <input type="hidden" name="csrf" value="c&amp;d"><input type=hidden name=request value=r>
  <label>Whose<select name="record"><option value="Patient/1">Ines</option><option>Patient/2</option></select></label>
  <input type="checkbox" name="scope" value="patient/Patient.rs" checked>
  <input type="checkbox" name="scope" value="patient/Observation.rs" checked>
  <input type="checkbox" name="scope" value="patient/Observation.rs?category=a|b">
  <input name="until" type="date"><input name="off" value="1" disabled>
  <textarea name="note">as it
is</textarea>
  <button name="decision" value="allow">Allow</button><button name="decision" value="deny">Do not <b>allow</b></button>
</form>
<form action="/sign-out" method="post"><button type="submit">Sign
 out</button><button type="button" name="decision" value="nothing">Help</button></form><a href="../help">Help</a>"""


def page(text, url="http://a.example/auth/authorize?x=1"):
    headers = email.message.Message()
    headers["Content-Type"] = "text/html; charset=utf-8"
    return Page(Answer("GET /", url, 200, headers, text.encode()))


class Forms(unittest.TestCase):
    def setUp(self):
        self.page = page(CONSENT)
        self.form = self.page.form_with("decision")

    def test_hidden_fields_boxes_and_the_first_option_are_sent_as_served(self):
        pairs = self.form.filled(pressed=("decision", "allow"))

        self.assertEqual(
            pairs,
            [
                ("csrf", "c&d"),
                ("request", "r"),
                ("record", "Patient/1"),
                ("scope", "patient/Patient.rs"),
                ("scope", "patient/Observation.rs"),
                ("until", ""),
                ("note", "as it\nis"),
                ("decision", "allow"),
            ],
        )

    def test_boxes_are_cleared_and_ticked_by_a_rule(self):
        pairs = self.form.filled(chosen={"scope": lambda value, is_on: not is_on}, pressed=("decision", "deny"))

        self.assertEqual([value for name, value in pairs if name == "scope"], ["patient/Observation.rs?category=a|b"])
        self.assertIn(("decision", "deny"), pairs)

    def test_an_option_without_a_value_is_its_text(self):
        self.assertEqual(self.form.values("record"), ["Patient/1", "Patient/2"])
        self.assertIn(("record", "Patient/2"), self.form.filled(chosen={"record": ["Patient/2"]}))

    def test_a_record_is_known_by_its_id_as_well_and_one_that_is_not_offered_fails(self):
        self.assertEqual(chosen_record(self.form, Choices(record="Patient/2")), ["Patient/2"])
        by_id = page("<form><input type=radio name=record value=7><button>Go</button></form>").forms[0]
        self.assertEqual(chosen_record(by_id, Choices(record="Patient/7")), ["7"])
        with self.assertRaises(Failed):
            chosen_record(self.form, Choices(record="Patient/3"))

    def test_addresses_are_resolved_and_texts_read(self):
        self.assertEqual(self.form.action, "http://a.example/auth/authorize?step=2")
        self.assertEqual(self.form.method, "POST")
        self.assertEqual(self.page.links, ["http://a.example/help"])
        self.assertEqual(self.page.headings, ["Let Pocket chart see…"])
        self.assertNotIn("color", self.page.text)

    def test_a_button_is_found_by_what_people_read(self):
        self.assertIsNotNone(self.page.forms[1].button("Sign out"))
        self.assertIsNone(self.page.forms[1].button("Help"))

    def test_a_decision_by_radio_buttons_is_made_as_well(self):
        radio = page("""<form method=post><input type=radio name=decision value=allow checked>
            <input type=radio name=decision value=deny><input type=submit value=Go></form>""").forms[0]

        self.assertEqual(radio.filled(pressed=("decision", "deny")), [("decision", "deny")])


class Redirects(unittest.TestCase):
    def test_what_comes_back_is_decoded(self):
        self.assertEqual(parameters("https://app.example/c?code=a%2Bb&state=x+y"), {"code": "a+b", "state": "x y"})

    def test_a_parameter_that_comes_twice_fails(self):
        with self.assertRaises(Failed):
            parameters("https://app.example/c?code=a&code=b")


if __name__ == "__main__":
    unittest.main()
