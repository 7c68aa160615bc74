"""What people decide on the pages, and where apps register."""

import functools
import json
import urllib.parse

from ..agent import origin_of, with_query
from ..checks import Group, Skipped, check, expect, expect_error, expect_status, fixture
from ..flow import Browser, Choices, Outcome, chosen_record, parameters
from ..pages import Page
from ..site import Client, Request, has_code, key_of
from .scopes import CATEGORY


class GranularChoice(Group):
    name = "granular-choice"
    says = "A person narrows on the page what an app asks for whole"
    capabilities = ("permission-v2", "launch-standalone")
    settings = ("person", "patients")
    WHOLE = "patient/Observation.rs"

    def asked(self, choices):
        return self.site.grant(self.site.app(), f"launch/patient patient/Patient.rs {self.WHOLE}", choices, prompt="consent")

    @fixture
    def offered(self):
        """The narrower scopes that have boxes."""
        grant = self.asked(Choices(record=self.site.patient))
        values = grant.outcome.seen[-1].form_with("decision").values("scope")
        return [value for value in values if value.startswith("patient/Observation.") and "?" in value]

    @fixture
    def narrow(self):
        expect(self.offered, "the page offers no part of Observation to choose")
        chosen = [scope for scope in self.offered if "laboratory" in scope]
        expect(chosen, f"no laboratory among {self.offered}")

        def choose(scope, is_on):
            if scope.startswith("patient/Observation."):
                return scope in chosen
            return is_on

        return self.asked(Choices(record=self.site.patient, scopes=choose))

    @check("offered", "The page has boxes for parts of a type")
    def is_offered(self):
        expect(self.offered, "the page offers no part of Observation to choose")

    @check("scope", "The scope of the token is the part that was chosen", 79, 145, 370)
    def is_the_scope(self):
        granted = [scope for scope in self.narrow.scopes if scope.startswith("patient/Observation.")]
        expect(granted and all("laboratory" in scope for scope in granted), f"granted: {granted}")

    @check("search", "The token finds that part alone", 95, 370)
    def is_found(self):
        whole = self.site.grant(self.site.app(), f"launch/patient {self.WHOLE}")
        query = f"Observation?patient={self.site.patient}"
        kept = [
            found for found in self.site.search(query, whole.token) if has_code(found.get("category", []), CATEGORY, "laboratory")
        ]
        wanted = {key_of(resource) for resource in kept}
        found = {key_of(resource) for resource in self.site.search(query, self.narrow.token)}
        expect(wanted and found == wanted, f"{len(found)} Observations are found instead of {len(wanted)}")


class ForgedConsent(Group):
    name = "forged-consent"
    says = "A decision that the person did not make on the page"
    capabilities = ("launch-standalone",)
    settings = ("person", "patients")
    ASKED = "launch/patient patient/Patient.rs patient/Observation.rs"

    def page(self):
        """A request, and the browser at its page."""
        request = Request(self.site, self.site.app(), self.ASKED, prompt="consent")
        browser = Browser(self.site.setting("person"))
        page, form = browser.reach(with_query(self.site.endpoint("authorization_endpoint"), request.pairs()), "decision")
        return request, browser, page, form

    def sent(self, changed):
        """Where the form leads that was changed on its way."""
        request, browser, page, form = self.page()
        record = {"record": chosen_record(form, Choices(record=self.site.patient))}
        answer = browser.submit(page, form, changed=changed, chosen=record, pressed=("decision", "allow"))
        answer, target = browser.follow(answer, until=lambda target: not target.startswith(origin_of(page.url)))
        return request, answer, target

    def granted(self, changed):
        """The answer with a token, if the form that was changed leads to one."""
        request, _, target = self.sent(changed)
        told = parameters(target) if target else {}
        if "code" not in told:
            return {}
        return expect_status(self.site.exchange(request, Outcome(told, None, [])), 200).object()

    @check("other-site", "A form that comes from another site decides nothing")
    def is_of_the_page(self):
        _, browser, page, form = self.page()
        pairs = form.filled(
            chosen={"record": chosen_record(form, Choices(record=self.site.patient))}, pressed=("decision", "allow")
        )
        for headers in ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            expect_status(browser.agent.ask("POST", form.action, pairs, headers), 400, 403)
        _, _, _, other = self.page()
        known = {(field.name, field.value) for field in form.fields if field.kind == "hidden"}
        secret = [
            (field.name, field.value)
            for field in other.fields
            if field.kind == "hidden" and (field.name, field.value) not in known
        ]
        swapped = [(name, dict(secret).get(name, value)) for name, value in pairs]
        expect(swapped != pairs, "the form has nothing by which it is told from that of another session")
        expect_status(browser.agent.ask("POST", form.action, swapped, {"Origin": origin_of(page.url)}), 400, 403)
        left_out = [(name, value) for name, value in pairs if name != "csrf"]
        expect_status(browser.agent.ask("POST", form.action, left_out, {"Origin": origin_of(page.url)}), 400, 403)

    @check("redirect", "A form whose hidden fields lead elsewhere leads nowhere", 18)
    def leads_to_the_app(self):
        evil = "https://evil.example/callback"
        address = self.site.app().redirect_uri
        spellings = {address: evil, urllib.parse.quote(address, safe=""): urllib.parse.quote(evil, safe="")}

        def changed(pairs):
            return [
                (name, functools.reduce(lambda text, old: text.replace(old, spellings[old]), spellings, value))
                for name, value in pairs
            ]

        _, _, target = self.sent(changed)
        expect(target is None or not target.startswith("https://evil.example"), f"the browser was sent to {target}")

    @check("boxes", "Boxes that the page does not have give nothing", 119)
    def gives_what_was_asked(self):
        more = [
            ("scope", scope)
            for scope in ("patient/*.cruds", "patient/Condition.rs", "user/*.rs", "offline_access", "system/*.rs")
        ]
        body = self.granted(lambda pairs: pairs + more)
        granted = set(body.get("scope", "").split()) - set(self.ASKED.split())
        expect(not granted, f"granted, though not asked for: {sorted(granted)}")
        expect("refresh_token" not in body, "there is a refresh token, though it was not asked for")

    @check("record", "A record that the page does not have, or none, gives no token for it", 119, 164)
    def is_about_an_own_record(self):
        stranger = self.site.setting("stranger")
        for value in (stranger, stranger.split("/")[1], "no-such-record", ""):
            body = self.granted(lambda pairs: [pair for pair in pairs if pair[0] != "record"] + [("record", value)])
            own = [patient.split("/")[1] for patient in self.site.setting("patients")]
            expect(not body or body.get("patient") in own, f"with the record {value!r} the patient is {body.get('patient')!r}")


class Management(Group):
    name = "management"
    says = "The page where people see and end what apps may do"
    members = ("management_endpoint",)
    settings = ("person", "patients")

    def form_of(self, page, client):
        return next(
            (form for form in page.forms if form.values("client_id") == [client.id] and form.button("Remove access")), None
        )

    @check("removed", "It lists the app, and once that is removed its tokens do nothing more")
    def ends_access(self):
        client = self.site.app()
        grant = self.site.grant(client, "launch/patient offline_access patient/Patient.rs")
        browser = self.site.browser()
        page = Page(browser.visit(self.site.endpoint("management_endpoint")))
        form = self.form_of(page, client)
        expect(form, f"the page {page.url} has no form with a button Remove access for {client.id}: {page.told()}")
        answer, _ = browser.follow(browser.submit(page, form, pressed=form.button("Remove access")))
        expect_status(answer, 200)
        expect_status(self.site.fhir("GET", grant.patient, grant.token), 401)
        if "refresh_token" in grant.body:
            expect_error(self.site.refresh(client, grant.refresh_token), (400,), "invalid_grant")
        expect(self.form_of(Page(browser.visit(page.url)), client) is None, "the page still lists the app")

    @check("outstanding", "A code that was given before that is worth nothing after it")
    def ends_codes(self):
        client, browser = self.site.app(), self.site.browser()
        request, outcome = self.site.code(client, "launch/patient offline_access patient/Patient.rs")
        page = Page(browser.visit(self.site.endpoint("management_endpoint")))
        form = self.form_of(page, client)
        expect(form, f"the page {page.url} has no form with a button Remove access for {client.id}: {page.told()}")
        browser.follow(browser.submit(page, form, pressed=form.button("Remove access")))
        answer = self.site.exchange(request, outcome)
        if answer.status == 200:
            expect_status(self.site.fhir("GET", self.site.patient, answer.object()["access_token"]), 401, 403)
        else:
            expect_error(answer, (400,), "invalid_grant")

    @check("opened", "From it an app is launched with the address of this server and a launch that works")
    def launches(self):
        client, browser = self.site.app(), self.site.browser()
        if not client.launch_uri:
            raise Skipped("the configuration names no launch_uri of the app")
        self.site.grant(client, "launch/patient patient/Patient.rs")
        page = Page(browser.visit(self.site.endpoint("management_endpoint")))
        form = next((form for form in page.forms if client.id in form.values("client_id") and form.button("Open")), None)
        expect(form, f"the page {page.url} has no form with a button Open for {client.id}")
        answer = browser.submit(page, form, pressed=form.button("Open"))
        # Whose record it is to be is asked where there are several.
        for _ in range(3):
            answer, target = browser.follow(answer, until=lambda target: target.startswith(client.launch_uri))
            if target:
                break
            page = Page(answer)
            expect(page.form_with("record"), f"Open leads to {page.told()}")
            answer = browser.pick(page, Choices(record=self.site.patient))
        expect(target, f"Open leads to {page.told()}")
        told = parameters(target)
        expect(told.get("iss") == self.site.base, f"iss is {told.get('iss')!r}")
        expect(told.get("launch"), f"the parameters are {sorted(told)}")
        grant = self.site.grant(client, "launch patient/Patient.rs", Choices(), browser, launch=told["launch"])
        expect(grant.patient == self.site.patient, f"the patient is {grant.patient}")

    @check("private", "The page is for who is signed in")
    def is_private(self):
        answer = self.site.agent.ask("GET", self.site.endpoint("management_endpoint"), headers={"Accept": "text/html"})
        expect(answer.status in (302, 303, 401, 403) or Page(answer).form_with("password"), f"without a session: {answer.status}")


class Registration(Group):
    name = "registration"
    says = "Apps register themselves (RFC 7591, RFC 7592)"
    members = ("registration_endpoint",)
    settings = ("person", "patients")

    def metadata(self, **changed):
        metadata = {
            "client_name": "Registered by a conformance run",
            "redirect_uris": ["https://registered.example/callback"],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "scope": "launch/patient openid fhirUser patient/*.rs",
        } | changed
        return {name: value for name, value in metadata.items() if value is not None}

    def register(self, **changed):
        headers = {"Content-Type": "application/json"}
        token = self.site.config.get("registration_token")
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return self.site.agent.ask(
            "POST", self.site.endpoint("registration_endpoint"), json.dumps(self.metadata(**changed)), headers
        )

    @fixture
    def registered(self):
        return expect_status(self.register(), 201)

    @check("registered", "An app gets a client_id and hears what was registered", 24, 316)
    def is_registered(self):
        body = self.registered.object()
        expect(isinstance(body.get("client_id"), str) and body["client_id"], f"the members are {sorted(body)}")
        expect("client_secret" not in body, "an app that can't keep a secret got one")
        expect(body.get("redirect_uris") == self.metadata()["redirect_uris"], f"redirect_uris is {body.get('redirect_uris')}")
        expect("no-store" in self.registered.header("Cache-Control"), "the answer may be kept by a cache")

    @check("launched", "It can be used at once, and the page shows its name", 18)
    def is_used(self):
        client = Client(
            "registered",
            {"client_id": self.registered.object()["client_id"], "redirect_uri": self.metadata()["redirect_uris"][0]},
        )
        grant = self.site.grant(client, "launch/patient patient/*.rs")
        self.site.read(grant.patient, grant.token)
        expect(self.metadata()["client_name"] in grant.outcome.seen[-1].text, "the page does not name the app")

    @check("secret", "An app that can keep a secret gets one that works", 356)
    def gets_a_secret(self):
        body = expect_status(self.register(token_endpoint_auth_method="client_secret_basic"), 201).object()
        expect(body.get("client_secret"), f"the members are {sorted(body)}")
        given = {"client_id": body["client_id"], "client_secret": body["client_secret"], "redirect_uri": body["redirect_uris"][0]}
        client = Client("registered", given)
        grant = self.site.grant(client, "launch/patient patient/*.rs")
        self.site.read(grant.patient, grant.token)

    @check("keys", "Public keys are taken with it, and an address of keys", 296, 297)
    def takes_keys(self):
        client = self.site.client("asymmetric")
        jwks = {"keys": [key.jwk() for key in client.keys.values()]}
        body = expect_status(self.register(token_endpoint_auth_method="private_key_jwt", jwks=jwks), 201).object()
        registered = Client("registered", {"client_id": body["client_id"], "redirect_uri": body["redirect_uris"][0]})
        registered.keys = client.keys
        grant = self.site.grant(registered, "launch/patient patient/*.rs")
        self.site.read(grant.patient, grant.token)
        expect_status(
            self.register(token_endpoint_auth_method="private_key_jwt", jwks_uri="https://registered.example/jwks"), 201
        )
        expect_error(
            self.register(token_endpoint_auth_method="private_key_jwt", jwks=jwks, jwks_uri="https://registered.example/jwks"),
            (400,),
            "invalid_client_metadata",
        )

    @check("redirects", "Addresses that no app should come back to are refused")
    def refuses_redirects(self):
        for address in (
            "http://registered.example/callback",
            "https://registered.example/callback#a",
            "javascript:alert(1)",
            "data:text/html,a",
            "https://*.registered.example/callback",
            "/callback",
            "https://user@registered.example/callback",
            "",
        ):
            expect_error(self.register(redirect_uris=[address]), (400,), "invalid_redirect_uri", "invalid_client_metadata")
        expect_error(self.register(redirect_uris=[]), (400,), "invalid_redirect_uri", "invalid_client_metadata")
        expect_error(self.register(redirect_uris=None), (400,), "invalid_redirect_uri", "invalid_client_metadata")

    @check("metadata", "What is no metadata is refused")
    def refuses_metadata(self):
        for changed in (
            {"token_endpoint_auth_method": "none of these"},
            {"grant_types": ["password"]},
            {"redirect_uris": "a"},
            {"client_name": 1},
        ):
            expect_error(self.register(**changed), (400,), "invalid_client_metadata", "invalid_redirect_uri")

    @check("managed", "The app reads, changes and removes its registration by its own token")
    def is_managed(self):
        body = expect_status(self.register(), 201).object()
        if "registration_client_uri" not in body:
            raise Skipped("the answer has no registration_client_uri")
        url, token = body["registration_client_uri"], body["registration_access_token"]

        def ask(method, metadata=None, token=token):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            return self.site.agent.ask(method, url, json.dumps(metadata) if metadata else None, headers)

        expect_status(ask("GET", token="nothing-that-was-issued"), 401)
        read = expect_status(ask("GET"), 200).object()
        expect(read["client_id"] == body["client_id"], f"client_id is {read['client_id']}")
        token = read.get("registration_access_token", token)
        changed = self.metadata(client_name="Renamed by a conformance run", client_id=body["client_id"])
        renamed = expect_status(ask("PUT", changed, token), 200).object()
        expect(renamed["client_name"] == "Renamed by a conformance run", f"client_name is {renamed['client_name']}")
        token = renamed.get("registration_access_token", token)
        expect_status(ask("DELETE", token=token), 204)
        expect_status(ask("GET", token=token), 401)
        gone = Client("registered", {"client_id": body["client_id"], "redirect_uri": body["redirect_uris"][0]})
        outcome = self.site.authorize(Request(self.site, gone, "patient/*.rs"))
        expect(outcome.returned is None, "an app that was removed is still known")
