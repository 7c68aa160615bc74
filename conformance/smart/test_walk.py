"""The way through pages, against a small server that has some, and some faults to choose."""

import http.server
import secrets
import threading
import unittest
import urllib.parse

from runner.checks import Failed
from runner.flow import Browser, Choices
from runner.groups.refusals import InvalidAudience, ProofKey
from runner.groups.standalone import Full
from runner.site import Site

PERSON = {"email": "a@example.org", "password": "a password"}


class Pages(http.server.BaseHTTPRequestHandler):
    """Sign-in, a consent and a redirect: no more than the walk needs."""

    def log_message(self, *words):
        pass

    def answer(self, status, text="", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Type" not in headers:
            self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        address = urllib.parse.urlsplit(self.path)
        given = dict(urllib.parse.parse_qsl(address.query))
        base = f"http://127.0.0.1:{self.server.server_port}"
        if address.path.endswith("smart-configuration"):
            document = f'{{"capabilities": ["launch-standalone"], "authorization_endpoint": "{base}/authorize", "token_endpoint": "{base}/token"}}'
            return self.answer(200, document, Content_Type="application/json")
        if address.path.endswith("/busy") and self.server.busy:
            self.server.busy -= 1
            return self.answer(429, Retry_After="0")
        if address.path != "/authorize":
            return self.answer(404)
        if self.server.checks_audience and given.get("aud") != f"{base}/fhir":
            return self.answer(303, Location=f"{given['redirect_uri']}?error=invalid_request&state={given['state']}")
        if "session=s" not in self.headers.get("Cookie", ""):
            return self.answer(303, Location="/sign-in?next=" + urllib.parse.quote_plus(self.path))
        self.server.waiting = given
        self.answer(
            200,
            """<h1>Share</h1><form method=post action=/consent><input type=hidden name=csrf value=x>
            <input type=radio name=record value=1><input type=radio name=record value=2>
            <input type=checkbox name=scope value=patient/Patient.rs checked>
            <button name=decision value=allow>Yes</button><button name=decision value=deny>No</button></form>""",
        )

    def do_POST(self):
        address = urllib.parse.urlsplit(self.path)
        pairs = urllib.parse.parse_qsl(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        given = dict(pairs)
        if address.path == "/sign-in":
            if given["password"] != PERSON["password"]:
                return self.answer(
                    200, "<h1>Sign in</h1><form method=post><input name=email><input name=password type=password></form>"
                )
            goes_on = dict(urllib.parse.parse_qsl(address.query))["next"]
            return self.answer(303, Location=goes_on, Set_Cookie="session=s; Path=/; HttpOnly")
        if address.path == "/consent":
            self.server.decided = pairs
            result = "code=c" if given["decision"] == "allow" else "error=access_denied"
            return self.answer(
                303, Location=f"{self.server.waiting['redirect_uri']}?{result}&state={self.server.waiting['state']}"
            )
        self.server.exchanged = given
        self.answer(200, '{"access_token": "t", "token_type": "Bearer"}', Content_Type="application/json")


class SignIn(Pages):
    def do_GET(self):
        if self.path.startswith("/sign-in"):
            return self.answer(
                200, "<h1>Sign in</h1><form method=post><input name=email><input name=password type=password></form>"
            )
        return super().do_GET()


class Walk(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SignIn)
        self.server.checks_audience = True
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        client = {"client_id": "me", "redirect_uri": "https://app.example/callback", "client_secret": secrets.token_hex(4)}
        config = {"person": PERSON, "patients": ["Patient/2"], "clients": {"symmetric": client}}
        self.site = Site(f"http://127.0.0.1:{self.server.server_port}/fhir", config)

    def test_it_signs_in_chooses_and_comes_back_with_a_code(self):
        request, outcome = self.site.code(self.site.app(), "patient/Patient.rs", state="s t&ate".replace("&", ""))

        self.assertEqual((outcome.code, outcome.returned["state"]), ("c", request.parameters["state"]))
        decided = [("csrf", "x"), ("record", "2"), ("scope", "patient/Patient.rs"), ("decision", "allow")]
        self.assertEqual(self.server.decided, decided)
        self.assertEqual([page.headings[0] for page in outcome.seen], ["Sign in", "Share"])

    def test_a_browser_stays_signed_in(self):
        self.site.code(self.site.app(), "patient/Patient.rs")

        _, outcome = self.site.code(self.site.app(), "patient/Patient.rs")

        self.assertEqual([page.headings[0] for page in outcome.seen], ["Share"])

    def test_a_denial_comes_back_as_an_error(self):
        with self.assertRaisesRegex(Failed, "access_denied"):
            self.site.code(self.site.app(), "patient/Patient.rs", Choices(record="Patient/2", allows=False))

    def test_a_wrong_password_ends_at_the_page(self):
        browser = Browser(PERSON | {"password": "another"})

        with self.assertRaisesRegex(Failed, "Sign in"):
            self.site.code(self.site.app(), "patient/Patient.rs", browser=browser)

    def test_who_asks_too_often_waits_and_asks_again(self):
        self.server.busy = 2

        answer = self.site.agent.ask("GET", self.site.base + "/busy")

        self.assertEqual((answer.status, self.server.busy), (404, 0))

    def state_of(self, group, name):
        return next(result.state for result in group(self.site).run() if result.id == name)

    def test_a_server_that_takes_any_audience_is_found_out(self):
        self.assertEqual(self.state_of(InvalidAudience, "invalid-aud.look-alike"), "passed")
        self.server.checks_audience = False
        self.assertEqual(self.state_of(InvalidAudience, "invalid-aud.look-alike"), "failed")

    def test_a_server_that_asks_for_no_verifier_is_found_out(self):
        states = {result.state for result in ProofKey(self.site).run()}

        self.assertEqual(states, {"failed"})

    def test_an_answer_that_may_be_kept_is_found_out(self):
        self.assertEqual(self.state_of(Full, "standalone-full.no-store"), "failed")
        self.assertEqual(self.state_of(Full, "standalone-full.declined"), "passed")


if __name__ == "__main__":
    unittest.main()
