"""What no server may take: another's audience, a code that was used, a client that is none, a missing verifier.

Spec: SMART App Launch 2.2 app-launch.html; RFC 6749; RFC 7636; RFC 9700
"""

import json
import urllib.parse

from ..agent import with_query
from ..checks import Group, Skipped, check, expect, expect_error, expect_status
from ..flow import Choices, challenge_of, verifier
from ..site import Client, Grant, Request, basic

SCOPE = "launch/patient offline_access patient/Patient.rs"


class InvalidAudience(Group):
    name = "invalid-aud"
    says = "A request that is meant for another server"
    members = ("authorization_endpoint",)
    settings = ("person", "patients")

    def refused(self, audience):
        outcome = self.site.authorize(Request(self.site, self.site.app(), SCOPE, aud=audience))
        expect(outcome.code is None, f"a code was given for aud {audience!r}")
        expect(outcome.error in (None, "invalid_request", "invalid_target", "access_denied"), outcome.told())

    @check("other", "The address of another server is refused", 96)
    def refuses_others(self):
        self.refused("https://other.example/fhir")

    @check("look-alike", "So is what only begins, ends or reads like the right one", 96)
    def refuses_look_alikes(self):
        base = self.site.base
        parts = urllib.parse.urlsplit(base)
        path = parts.path
        for audience in (
            base + ".evil.example",
            base + "x",
            base + "/../other",
            f"{parts.scheme}://{parts.netloc}",
            base + "?a=b",
            base + "#a",
            f"{parts.scheme}://{parts.netloc}@evil.example{path}",
            f"{parts.scheme}://{parts.netloc}.evil.example{path}",
            f"{parts.scheme}://evil.example/{base}",
            f"ftp://{parts.netloc}{path}",
            base + " ",
            "*",
            path,
        ):
            self.refused(audience)

    @check("missing", "A request without one is refused, and a blank one is none", 96)
    def refuses_none(self):
        self.refused(None)
        self.refused("")


class InvalidCode(Group):
    name = "invalid-code"
    says = "Codes that are not the app's, or not any more"
    members = ("authorization_endpoint",)
    settings = ("person", "patients")

    @check("unknown", "What is no code gives nothing")
    def refuses_unknown(self):
        request, outcome = self.site.code(self.site.app(), SCOPE)
        for code in ("nothing-that-was-issued", outcome.code[:-1], outcome.code + "A"):
            expect_error(self.site.exchange(request, outcome, code=code), (400,), "invalid_grant")
        expect_error(self.site.exchange(request, outcome, code=""), (400,), "invalid_grant", "invalid_request")

    @check("reuse", "A code that comes a second time gives nothing, and ends what the first gave", 58)
    def refuses_reuse(self):
        request, outcome = self.site.code(self.site.app(), SCOPE)
        grant = Grant(request.client, request, outcome, expect_status(self.site.exchange(request, outcome), 200))
        self.site.read(self.site.patient, grant.token)
        expect_error(self.site.exchange(request, outcome), (400,), "invalid_grant")
        expect_status(self.site.fhir("GET", self.site.patient, grant.token), 401)
        if "refresh_token" in grant.body:
            expect_error(self.site.refresh(grant.client, grant.refresh_token), (400,), "invalid_grant")

    @check("other-app", "A code is for the app that asked for it")
    def refuses_other_apps(self):
        other = next(
            (client for client in self.site.clients.values() if client.redirect_uri and client.id != self.site.app().id), None
        )
        if other is None:
            raise Skipped("the configuration names no second app")
        request, outcome = self.site.code(self.site.app(), SCOPE)
        form = {
            "grant_type": "authorization_code",
            "code": outcome.code,
            "redirect_uri": request.client.redirect_uri,
            "code_verifier": request.verifier,
        }
        expect_error(self.site.token_request(other, form), (400, 401), "invalid_grant")

    @check("other-redirect", "The redirect_uri must be the one of the request, and there")
    def refuses_other_redirects(self):
        for address in (self.site.app().redirect_uri + "/other", "https://evil.example/callback", None):
            request, outcome = self.site.code(self.site.app(), SCOPE)
            expect_error(self.site.exchange(request, outcome, redirect_uri=address), (400,), "invalid_grant", "invalid_request")

    @check("grant-type", "A grant type that is not known, or none, is refused by its name")
    def refuses_grant_types(self):
        request, outcome = self.site.code(self.site.app(), SCOPE)
        expect_error(self.site.exchange(request, outcome, grant_type="password"), (400,), "unsupported_grant_type")
        expect_error(self.site.exchange(request, outcome, grant_type=None), (400,), "invalid_request", "unsupported_grant_type")

    @check("in-address", "The token endpoint takes no GET, and nothing from its address")
    def refuses_get(self):
        request, outcome = self.site.code(self.site.app(), SCOPE)
        pairs = {"grant_type": "authorization_code", "code": outcome.code, "redirect_uri": request.client.redirect_uri}
        url = with_query(self.site.endpoint("token_endpoint"), pairs | {"code_verifier": request.verifier})
        expect_status(self.site.agent.ask("GET", url), 400, 401, 405)
        more, proof = request.client.proof(self.site.endpoint("token_endpoint"))
        expect_error(
            self.site.agent.ask("POST", url, more | {"a": "b"}, proof), (400, 401), "invalid_request", "unsupported_grant_type"
        )

    @check("json", "The token endpoint takes a form and not JSON, and no parameter twice")
    def refuses_json(self):
        request, outcome = self.site.code(self.site.app(), SCOPE)
        more, proof = request.client.proof(self.site.endpoint("token_endpoint"))
        form = more | {"grant_type": "authorization_code", "code": outcome.code, "redirect_uri": request.client.redirect_uri}
        form["code_verifier"] = request.verifier
        url = self.site.endpoint("token_endpoint")
        kind = {"Content-Type": "application/json"}
        expect_status(self.site.agent.ask("POST", url, json.dumps(form), proof | kind), 400, 415)
        twice = list(form.items()) + [("code_verifier", request.verifier)]
        expect_error(self.site.agent.ask("POST", url, twice, proof), (400,), "invalid_request")


class InvalidClient(Group):
    name = "invalid-client"
    says = "Apps that are not known, or not whom they say they are"
    members = ("authorization_endpoint",)
    settings = ("person", "patients")

    def stays(self, client, what, **changed):
        """The person sees a page, and nobody is sent anywhere."""
        outcome = self.site.authorize(Request(self.site, client, SCOPE, **changed))
        expect(outcome.returned is None, f"{what}: {outcome.told()}")
        expect(outcome.seen and 400 <= outcome.seen[-1].status < 500, f"{what}: {outcome.told()}")

    @check("unknown", "An app that is not registered is told on a page, not by a redirect", 18)
    def refuses_unknown(self):
        address = self.site.app().redirect_uri
        self.stays(Client("unknown", {"client_id": "no-such-app", "redirect_uri": address}), "an unknown client_id")
        self.stays(Client("none", {"client_id": "", "redirect_uri": address}), "a blank client_id")

    @check("redirect", "So is a redirect_uri that is not registered to the byte", 18)
    def refuses_redirects(self):
        app = self.site.app()
        address = app.redirect_uri
        parts = urllib.parse.urlsplit(address)
        for other in (
            "https://evil.example/callback",
            address + "/",
            address + "x",
            address + "?a=b",
            address + "#a",
            address.upper(),
            f"{parts.scheme}://{parts.netloc}@evil.example{parts.path}",
            f"{parts.scheme}://{parts.netloc}.evil.example{parts.path}",
            f"{parts.scheme}://{parts.netloc}{parts.path}/../other",
            "javascript:alert(1)",
            f"http://{parts.netloc}:1{parts.path}",
            "",
        ):
            client = Client("other", {"client_id": app.id, "redirect_uri": other})
            self.stays(client, f"the redirect_uri {other!r}")

    @check("secret", "A wrong secret, or none, is answered invalid_client", 356)
    def refuses_wrong_secrets(self):
        client = self.site.client("symmetric")
        request, outcome = self.site.code(client, SCOPE)
        form = {
            "grant_type": "authorization_code",
            "code": outcome.code,
            "redirect_uri": client.redirect_uri,
            "code_verifier": request.verifier,
        }
        url = self.site.endpoint("token_endpoint")
        wrong = self.site.agent.ask("POST", url, form, {"Authorization": basic(client.id, "not the one")})
        expect_error(wrong, (401,), "invalid_client")
        expect("basic" in wrong.header("WWW-Authenticate").lower(), f"WWW-Authenticate is {wrong.header('WWW-Authenticate')!r}")
        expect_error(self.site.agent.ask("POST", url, form | {"client_id": client.id}), (400, 401), "invalid_client")
        expect_error(
            self.site.agent.ask("POST", url, form | {"client_id": client.id, "client_secret": ""}), (400, 401), "invalid_client"
        )
        unknown = self.site.agent.ask("POST", url, form, {"Authorization": basic("no-such-app", "a secret")})
        expect_error(unknown, (401,), "invalid_client")

    @check("two-ways", "An app that shows in two ways who it is, or once as another, is refused")
    def refuses_two_ways(self):
        client = self.site.client("symmetric")
        request, outcome = self.site.code(client, SCOPE)
        form = {
            "grant_type": "authorization_code",
            "code": outcome.code,
            "redirect_uri": client.redirect_uri,
            "code_verifier": request.verifier,
        }
        url, header = self.site.endpoint("token_endpoint"), {"Authorization": basic(client.id, client.secret)}
        both = form | {"client_id": client.id, "client_secret": client.secret}
        expect_error(self.site.agent.ask("POST", url, both, header), (400, 401), "invalid_request", "invalid_client")
        other = form | {"client_id": "no-such-app"}
        expect_error(
            self.site.agent.ask("POST", url, other, header), (400, 401), "invalid_request", "invalid_client", "invalid_grant"
        )

    @check("response-type", "Another response type than code is refused with a redirect that keeps the state", 54, 59)
    def refuses_response_types(self):
        for kind in ("token", "code token", "id_token", None):
            request = Request(self.site, self.site.app(), SCOPE, response_type=kind)
            outcome = self.site.authorize(request)
            expect(outcome.error in ("unsupported_response_type", "invalid_request"), f"response_type {kind!r}: {outcome.told()}")
            expect(
                outcome.returned.get("state") == request.parameters["state"],
                f"response_type {kind!r}: the state did not come back",
            )

    @check("scope", "Scopes of which none is known are refused with invalid_scope", 54)
    def refuses_scopes(self):
        for scope in ("patient/Nothing.rs", "nothing", "patient/Observation.sr"):
            outcome = self.site.authorize(Request(self.site, self.site.app(), scope))
            expect(outcome.error == "invalid_scope", f"scope {scope!r}: {outcome.told()}")

    @check("twice", "A parameter that comes twice is refused")
    def refuses_twice(self):
        request = Request(self.site, self.site.app(), SCOPE)
        pairs = list(request.pairs().items()) + [("scope", "patient/*.rs")]
        outcome = self.site.browser().authorize(
            f"{self.site.endpoint('authorization_endpoint')}?{urllib.parse.urlencode(pairs)}",
            request.client.redirect_uri,
            Choices(record=self.site.patient),
        )
        expect(outcome.code is None and outcome.error in (None, "invalid_request"), outcome.told())


class ProofKey(Group):
    name = "pkce"
    says = "A code is worth nothing without the verifier of its challenge"
    members = ("authorization_endpoint",)
    settings = ("person", "patients")

    def not_exchanged(self, code_verifier):
        for name in ("symmetric", "public"):
            if name not in self.site.clients:
                continue
            request, outcome = self.site.code(self.site.clients[name], SCOPE)
            sent = code_verifier(request) if callable(code_verifier) else code_verifier
            expect_error(self.site.exchange(request, outcome, code_verifier=sent), (400,), "invalid_grant", "invalid_request")

    @check("missing", "Without a verifier there is no token", 31)
    def needs_a_verifier(self):
        self.not_exchanged(None)

    @check("blank", "Nor with a blank one", 31)
    def needs_more_than_a_blank(self):
        self.not_exchanged("")

    @check("wrong", "Nor with another", 31)
    def needs_the_right_one(self):
        self.not_exchanged(verifier())

    @check("challenge", "Nor with the challenge itself", 15, 31)
    def needs_not_the_challenge(self):
        self.not_exchanged(lambda request: request.parameters["code_challenge"])

    @check("short", "Nor with one that is shorter than a verifier may be", 31)
    def needs_a_whole_one(self):
        self.not_exchanged(lambda request: request.verifier[:42])

    def not_authorized(self, what, **changed):
        request = Request(self.site, self.site.app(), SCOPE, **changed)
        outcome = self.site.authorize(request)
        if outcome.code:
            answer = self.site.exchange(request, outcome)
            expect(answer.status != 200, f"{what}: a token was given")
        else:
            expect(outcome.error in (None, "invalid_request"), f"{what}: {outcome.told()}")

    @check("no-challenge", "A request without a challenge leads to no token, with a verifier or without", 14, 31)
    def needs_a_challenge(self):
        self.not_authorized("no challenge", code_challenge=None, code_challenge_method=None)
        self.not_authorized("a blank challenge", code_challenge="")
        self.not_authorized("a method alone", code_challenge=None)

    @check("plain", "The method plain is refused, also when it is only left to be understood", 15)
    def refuses_plain(self):
        word = verifier()
        self.not_authorized("the method plain", code_challenge=word, code_challenge_method="plain")
        self.not_authorized("no method", code_challenge_method=None)
        self.not_authorized("the method s256", code_challenge=challenge_of(word), code_challenge_method="s256")
