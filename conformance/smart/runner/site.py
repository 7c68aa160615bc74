"""The server that is looked at: its documents, its apps, and the requests that several groups make."""

import base64
import functools
import json
import secrets
import urllib.parse

from .agent import Agent, with_query
from .checks import Failed, Skipped, expect, expect_status
from .flow import Browser, Choices, challenge_of, verifier
from .jose import Key, assertion_claims

FHIR = "application/fhir+json"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MOST_PAGES = 50


class Client:
    """A registered app: how it shows who it is."""

    def __init__(self, name, given):
        self.name, self.id = name, given["client_id"]
        self.redirect_uri, self.launch_uri = given.get("redirect_uri"), given.get("launch_uri")
        self.secret = given.get("client_secret")
        self.scope = given.get("scope")
        self.keys = {key["alg"]: Key.read(key["file"], key["alg"], key["kid"]) for key in given.get("keys", [])}

    def proof(self, audience, alg=None):
        """What it adds to a form and to the headers of a request to an endpoint."""
        if self.keys:
            key = self.keys[alg] if alg else next(iter(self.keys.values()))
            signed = key.sign(assertion_claims(self.id, audience))
            return {"client_assertion_type": ASSERTION, "client_assertion": signed}, {}
        if self.secret:
            return {}, {"Authorization": basic(self.id, self.secret)}
        return {"client_id": self.id}, {}


def basic(client_id, secret):
    """Spec: RFC 6749 section 2.3.1"""
    text = ":".join(urllib.parse.quote_plus(part) for part in (client_id, secret))
    return "Basic " + base64.b64encode(text.encode()).decode()


class Request:
    """An authorization request, ready to be changed by a check before it is sent."""

    def __init__(self, site, client, scope, **changed):
        self.client, self.verifier = client, verifier()
        self.parameters = {
            "response_type": "code",
            "client_id": client.id,
            "redirect_uri": client.redirect_uri,
            "scope": scope,
            "state": secrets.token_urlsafe(16),
            "aud": site.base,
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
        } | changed

    def pairs(self):
        """Parameters that are None are left out."""
        return {name: value for name, value in self.parameters.items() if value is not None}


class Grant:
    """What an app has after the code was exchanged."""

    def __init__(self, client, request, outcome, answer):
        self.client, self.request, self.outcome, self.answer = client, request, outcome, answer
        self.body = answer.object()

    @property
    def token(self):
        return self.body["access_token"]

    @property
    def refresh_token(self):
        expect("refresh_token" in self.body, f"the answer has no refresh_token: its members are {sorted(self.body)}")
        return self.body["refresh_token"]

    @property
    def scopes(self):
        return self.body.get("scope", "").split()

    @property
    def patient(self):
        expect("patient" in self.body, f"the answer has no patient: its members are {sorted(self.body)}")
        return f"Patient/{self.body['patient']}"


class Site:
    """The server at a FHIR base."""

    def __init__(self, base, config):
        self.base, self.config, self.agent = base.rstrip("/"), config, Agent()
        self.clients = {name: Client(name, given) for name, given in config.get("clients", {}).items()}
        self.browsers = {}

    # ---- documents

    @functools.cached_property
    def discovery(self):
        answer = self.agent.ask("GET", f"{self.base}/.well-known/smart-configuration", headers={"Accept": "application/json"})
        return expect_status(answer, 200).object()

    def endpoint(self, member):
        expect(member in self.discovery, f"the discovery document has no {member}")
        return self.discovery[member]

    @property
    def issuer(self):
        return self.endpoint("issuer")

    @functools.cached_property
    def jwks(self):
        return expect_status(self.agent.ask("GET", self.endpoint("jwks_uri")), 200).object()

    # ---- people and apps

    def client(self, *names):
        """The first of these apps that the configuration names."""
        found = next((self.clients[name] for name in names if name in self.clients), None)
        if found is None:
            raise Skipped(f"the configuration names no client {' or '.join(names)}")
        return found

    def app(self):
        """Any app that people use."""
        return self.client("symmetric", "public", "asymmetric")

    def setting(self, name):
        value = self.config.get(name)
        if not value:
            raise Skipped(f"the configuration names no {name}")
        return value

    @property
    def patient(self):
        return self.setting("patients")[0]

    def browser(self, who="person"):
        """The browser in which this person stays signed in."""
        if who not in self.browsers:
            self.browsers[who] = Browser(self.setting(who))
        return self.browsers[who]

    # ---- authorization

    def authorize(self, request, choices=None, browser=None, post=False):
        """Where the way through the pages ends."""
        choices = choices or Choices(record=self.config.get("patients", [None])[0])
        browser = browser or self.browser()
        url, pairs = self.endpoint("authorization_endpoint"), request.pairs()
        redirect_uri = request.client.redirect_uri
        if post:
            return browser.authorize(url, redirect_uri, choices, post=pairs)
        return browser.authorize(with_query(url, pairs), redirect_uri, choices)

    def code(self, client, scope, choices=None, browser=None, **changed):
        """An authorization request and the outcome, which has a code."""
        request = Request(self, client, scope, **changed)
        outcome = self.authorize(request, choices, browser)
        expect(outcome.code, f"no code for {scope!r}: {outcome.told()}")
        return request, outcome

    def exchange(self, request, outcome, alg=None, headers=None, **changed):
        """The answer to a code; a parameter that is changed to None is left out."""
        form = {
            "grant_type": "authorization_code",
            "code": outcome.code,
            "redirect_uri": request.client.redirect_uri,
            "code_verifier": request.verifier,
        }
        return self.token_request(request.client, form | changed, alg, headers)

    def token_request(self, client, form, alg=None, headers=None):
        """A request to the token endpoint by `client`, who shows who it is."""
        return self.as_client(client, self.endpoint("token_endpoint"), form, alg, headers)

    def as_client(self, client, url, form, alg=None, headers=None):
        more, proof = client.proof(self.endpoint("token_endpoint"), alg)
        form = {name: value for name, value in (form | more).items() if value is not None}
        return self.agent.ask("POST", url, form, {"Accept": "application/json"} | proof | (headers or {}))

    def grant(self, client, scope, choices=None, browser=None, alg=None, **changed):
        """The whole way to a token, which must succeed."""
        request, outcome = self.code(client, scope, choices, browser, **changed)
        answer = expect_status(self.exchange(request, outcome, alg), 200)
        grant = Grant(client, request, outcome, answer)
        expect(grant.body.get("access_token"), f"{answer.request}: the answer has no access_token: {sorted(grant.body)}")
        return grant

    def refresh(self, client, refresh_token, **changed):
        return self.token_request(client, {"grant_type": "refresh_token", "refresh_token": refresh_token} | changed)

    def backend_token(self, client, scope=None, alg=None, **changed):
        """A token of a system, which must be issued."""
        form = {"grant_type": "client_credentials", "scope": scope or client.scope} | changed
        return expect_status(self.token_request(client, form, alg), 200).object()

    # ---- FHIR

    def fhir(self, method, path, token=None, body=None, headers=None):
        """A request below the FHIR base, or at the absolute address of a page of results."""
        url = path if path.startswith(("http://", "https://")) else f"{self.base}/{path}"
        sent = {"Accept": FHIR} | ({"Authorization": f"Bearer {token}"} if token else {})
        if body is not None:
            body, sent["Content-Type"] = json.dumps(body), FHIR
        return self.agent.ask(method, url, body, sent | (headers or {}))

    def read(self, key, token):
        return expect_status(self.fhir("GET", key, token), 200).object()

    def search(self, path, token):
        """All matches of a search, over all pages."""
        found, url = [], path
        for _ in range(MOST_PAGES):
            bundle = expect_status(self.fhir("GET", url, token), 200).object()
            found += bundle.get("entry", [])
            url = next((link["url"] for link in bundle.get("link", []) if link["relation"] == "next"), None)
            if url is None:
                return [entry["resource"] for entry in found if entry.get("search", {}).get("mode", "match") != "outcome"]
        raise Failed(f"GET {path}: more than {MOST_PAGES} pages")

    def active(self, token):
        """Whether the token still opens anything: its own Patient, or any search."""
        answer = self.fhir("GET", f"{self.patient}", token)
        return answer.status != 401


def key_of(resource):
    return f"{resource['resourceType']}/{resource['id']}"


def has_code(concepts, system, code):
    """Whether a CodeableConcept among `concepts` has this code."""
    codings = [coding for concept in concepts for coding in concept.get("coding", [])]
    return any(coding.get("system") == system and coding.get("code") == code for coding in codings)
