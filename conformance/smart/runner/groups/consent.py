"""What people decide on the pages, and where apps register."""

import json

from ..checks import Group, Skipped, check, expect, expect_error, expect_status, fixture
from ..flow import Choices, parameters
from ..pages import Page
from ..site import Client, Request, key_of
from .scopes import CATEGORY
from ..site import has_code


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
