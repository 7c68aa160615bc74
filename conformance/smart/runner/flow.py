"""The way through the pages: from the authorization endpoint over sign-in and consent back to the app.

Spec: SMART App Launch 2.2 app-launch.html#obtain-authorization-code
"""

import base64
import hashlib
import secrets
import urllib.parse

from .agent import Agent, origin_of, with_query
from .checks import Failed, expect
from .pages import Page

# More pages than any person would put up with.
MOST_STEPS = 25


def verifier():
    return secrets.token_urlsafe(48)


def challenge_of(code_verifier):
    return base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()


class Choices:
    """What a person does on the pages.

    `record` is the Patient whose data are shown; `scopes` says of each box whether it is on, by its scope and whether it is on as
    served, and by default all boxes are left as they are; `allows` is the decision.
    """

    def __init__(self, record=None, scopes=None, allows=True):
        self.record, self.scopes, self.allows = record, scopes, allows


class Outcome:
    """Where the way ended: back at the app with `returned`, or at a page."""

    def __init__(self, returned, page, seen):
        self.returned, self.page, self.seen = returned, page, seen

    @property
    def code(self):
        return (self.returned or {}).get("code")

    @property
    def error(self):
        return (self.returned or {}).get("error")

    def told(self):
        if self.returned is not None:
            told = " ".join(f"{name}={self.returned[name]!r}" for name in ("error", "error_description") if name in self.returned)
            return f"the app got back {told or ', '.join(sorted(self.returned))}"
        return f"the way ended at a page: {self.page}"


class Browser:
    """The browser of one person, who signs in when asked to."""

    def __init__(self, person):
        self.person, self.agent = person, Agent(cookies=True)
        # The answers of the way that was gone last, redirects among them.
        self.trail = []

    def open(self, url, post=None):
        """A page, as the address bar or a form of an app's page asks for it."""
        headers = {"Accept": "text/html", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        if post is not None:
            headers["Origin"] = "null"
        return self.agent.ask("GET" if post is None else "POST", url, post, headers)

    def submit(self, page, form, changed=lambda pairs: pairs, **filling):
        """Sends a form of `page` as a browser sends it; `changed` does to its pairs what no honest browser does."""
        pairs = changed(form.filled(**filling))
        headers = {"Accept": "text/html", "Referer": page.url, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
        if form.method == "GET":
            return self.agent.ask("GET", with_query(form.action.partition("?")[0], pairs), headers=headers)
        headers["Origin"] = origin_of(page.url)
        return self.agent.ask("POST", form.action, pairs, headers)

    def follow(self, answer, until=None):
        """The first answer that is no redirect, and the address that `until` holds for instead, if one comes up."""
        for _ in range(MOST_STEPS):
            self.trail.append(answer)
            if not 300 <= answer.status < 400 or not answer.header("Location"):
                return answer, None
            target = urllib.parse.urljoin(answer.url, answer.header("Location"))
            if until and until(target):
                return answer, target
            answer = self.open(target)
        raise Failed(f"{answer.request}: redirects without end")

    def visit(self, url):
        """A page of the server, signing in on the way when it asks for that."""
        answer, _ = self.follow(self.open(url))
        form = self.sign_in_form(answer)
        if form:
            answer, _ = self.follow(self.sign_in(Page(answer), form))
        return answer

    def reach(self, url, *names):
        """The first page on the way from `url` that has a form with these fields, and the form; signs in on the way."""
        answer, _ = self.follow(self.open(url))
        form = self.sign_in_form(answer)
        if form and not Page(answer).form_with(*names):
            answer, _ = self.follow(self.sign_in(Page(answer), form))
        page = Page(answer)
        found = page.form_with(*names)
        expect(found, f"no form with {', '.join(names)}: {page.told()}")
        return page, found

    def sign_in_form(self, answer):
        return Page(answer).form_with("email", "password") if answer.media_type == "text/html" else None

    def sign_in(self, page, form):
        return self.submit(page, form, texts={"email": self.person["email"], "password": self.person["password"]})

    def sign_out(self, page_url):
        """Presses `Sign out` on a page that has it."""
        page = Page(self.visit(page_url))
        form = next((form for form in page.forms if form.button("Sign out")), None)
        expect(form, f"the page {page_url} has no form with a button Sign out")
        self.follow(self.submit(page, form, pressed=form.button("Sign out")))

    def authorize(self, url, redirect_uri, choices, post=None):
        """Goes the whole way that begins at `url`."""

        def is_the_app(target):
            return target == redirect_uri or target.startswith((redirect_uri + "?", redirect_uri + "&", redirect_uri + "#"))

        self.trail = []
        return self.walk(self.open(url, post), choices, until=is_the_app)

    def walk(self, answer, choices, until=None):
        """Signs in, picks a record and decides, as the pages ask for it, until the app or a page where there is nothing to do."""
        seen, signed_in = [], False
        for _ in range(MOST_STEPS):
            answer, target = self.follow(answer, until)
            if target:
                return Outcome(parameters(target), None, seen)
            if answer.media_type != "text/html":
                return Outcome(None, f"{answer.status} {answer.media_type}: {answer.excerpt()}", seen)
            page = Page(answer)
            seen.append(page)
            if page.form_with("decision"):
                answer = self.decide(page, choices)
            elif page.form_with("password") and not signed_in:
                # Also where somebody who is signed in is asked once more, by the password alone.
                signed_in = True
                answer = self.sign_in(page, page.form_with("password"))
            elif page.form_with("record"):
                answer = self.pick(page, choices)
            else:
                return Outcome(None, page.told(), seen)
        raise Failed(f"no decision after {MOST_STEPS} pages; the last was {seen[-1].told()}")

    def decide(self, page, choices):
        form = page.form_with("decision")
        chosen = {"record": chosen_record(form, choices)}
        if form.values("encounter"):
            chosen["encounter"] = form.values("encounter")[:1]
        if choices.scopes:
            chosen["scope"] = choices.scopes
        chosen = {name: rule for name, rule in chosen.items() if rule}
        return self.submit(page, form, chosen=chosen, pressed=("decision", "allow" if choices.allows else "deny"))

    def pick(self, page, choices):
        form = page.form_with("record")
        record = chosen_record(form, choices)
        named = [button for button in form.buttons if button.name == "record" and record and button.value in record]
        button = named[0] if named else form.buttons[0] if form.buttons else None
        return self.submit(page, form, chosen={"record": record} if record else {}, pressed=button)


def chosen_record(form, choices):
    """The values of the field `record` that stand for the record that was chosen: with its type or without."""
    offered = form.values("record") + [button.value for button in form.buttons if button.name == "record"]
    if choices.record is None or len(offered) == 0:
        return None
    fitting = [value for value in offered if value in (choices.record, choices.record.rpartition("/")[2])]
    expect(fitting, f"the page does not offer the record {choices.record}, only {offered}")
    return fitting


def parameters(target):
    """What an app is handed in the address; no name comes twice."""
    pairs = urllib.parse.parse_qsl(urllib.parse.urlsplit(target).query, keep_blank_values=True)
    names = [name for name, _ in pairs]
    expect(len(names) == len(set(names)), f"a parameter comes twice in the redirect: {names}")
    return dict(pairs)
