"""Systems that act for nobody.

Spec: SMART App Launch 2.2 backend-services.html, client-confidential-asymmetric.html
"""

import secrets
import time

from ..checks import Group, Skipped, check, expect, expect_error, expect_status, fixture
from ..jose import Key, assertion_claims, signed_by_secret, unsigned
from ..site import ASSERTION

READ = "system/Patient.rs system/Observation.rs"


class Backend(Group):
    name = "backend"
    says = "A system gets a token for itself by a signed assertion"
    grant_types = ("client_credentials",)
    clients = ("backend",)

    @property
    def client(self):
        return self.site.clients["backend"]

    @property
    def key(self):
        return next(iter(self.client.keys.values()))

    @property
    def audience(self):
        return self.site.endpoint("token_endpoint")

    def send(self, assertion, **changed):
        form = {
            "grant_type": "client_credentials",
            "scope": READ,
            "client_assertion_type": ASSERTION,
            "client_assertion": assertion,
        } | changed
        return self.site.agent.ask("POST", self.audience, {name: value for name, value in form.items() if value is not None})

    def claims(self, **changed):
        return assertion_claims(self.client.id, self.audience, **changed)

    def refused(self, what, assertion, **changed):
        answer = self.send(assertion, **changed)
        expect(answer.status in (400, 401), f"{what}: {answer.status}: {answer.excerpt()}")
        error = answer.object().get("error")
        expect(error == "invalid_client", f"{what}: the error is {error!r}: {answer.excerpt()}")

    def by(self, alg):
        if alg not in self.client.keys:
            raise Skipped(f"the configuration has no key for {alg}")
        if alg not in self.site.discovery.get("token_endpoint_auth_signing_alg_values_supported", []):
            raise Skipped(f"the server does not advertise {alg}")
        answer = expect_status(self.send(self.client.keys[alg].sign(self.claims())), 200)
        return answer, answer.object()

    @fixture
    def token(self):
        return self.by(next(iter(self.client.keys)))

    @check("rs384", "An assertion by RS384 gives a token that reads", 142, 249, 253, 254, 310, 335)
    def takes_rs384(self):
        expect_status(self.site.fhir("GET", "Patient?_count=1", self.by("RS384")[1]["access_token"]), 200)

    @check("es384", "An assertion by ES384 gives a token that reads", 142, 249, 253, 254, 310, 335)
    def takes_es384(self):
        expect_status(self.site.fhir("GET", "Patient?_count=1", self.by("ES384")[1]["access_token"]), 200)

    @check("answer", "The answer has the type, a lifetime of at most five minutes, and the scope", 255, 256, 257, 258, 261, 262)
    def is_short_lived(self):
        answer, body = self.token
        expect(str(body.get("token_type", "")).lower() == "bearer", f"token_type is {body.get('token_type')!r}")
        expect(
            isinstance(body.get("expires_in"), int) and 0 < body["expires_in"] <= 300, f"expires_in is {body.get('expires_in')!r}"
        )
        expect(set(body.get("scope", "").split()) == set(READ.split()), f"scope is {body.get('scope')!r}")
        expect("no-store" in answer.header("Cache-Control"), f"Cache-Control is {answer.header('Cache-Control')!r}")
        expect("no-cache" in answer.header("Pragma"), f"Pragma is {answer.header('Pragma')!r}")

    @check("no-refresh", "There is no refresh token", 248)
    def has_no_refresh_token(self):
        expect("refresh_token" not in self.token[1], "there is a refresh token")

    @check("scope", "The token does what its scope says and no more", 95, 241, 243, 247, 260, 265, 266)
    def is_for_its_scope(self):
        token = self.token[1]["access_token"]
        expect_status(self.site.fhir("GET", "Observation?_count=1", token), 200)
        expect_status(self.site.fhir("GET", "Condition?_count=1", token), 403)
        body = {"resourceType": "Patient"}
        expect_status(self.site.fhir("POST", "Patient", token, body), 403)
        expect_status(self.site.fhir("GET", "Patient?_count=1"), 401)
        expect_status(self.site.fhir("GET", "Patient?_count=1", token + "A"), 401)

    @check("registered", "What is beyond the registered scopes is not given", 240, 250, 259)
    def is_for_what_is_registered(self):
        registered = self.client.scope.split()
        if "system/*.cruds" in registered:
            raise Skipped("the client is registered for everything")
        body = expect_status(self.send(self.key.sign(self.claims()), scope="system/*.cruds system/Patient.rs"), 200).object()
        granted = body["scope"].split()
        expect("system/*.cruds" not in granted, f"granted: {granted}")
        alone = self.send(self.key.sign(self.claims()), scope="system/Nothing.rs user/Patient.rs patient/Patient.rs")
        expect_error(alone, (400,), "invalid_scope")

    @check("old-scopes", "Scopes of version 1 come back as they were asked for", 127)
    def takes_old_scopes(self):
        body = expect_status(self.send(self.key.sign(self.claims()), scope="system/Observation.read"), 200).object()
        expect(body["scope"] == "system/Observation.read", f"scope is {body['scope']!r}")

    @check("no-scope", "A request without a scope is answered with an error of OAuth and its reason", 251, 252)
    def needs_a_scope(self):
        answer = expect_error(self.send(self.key.sign(self.claims()), scope=None), (400,), "invalid_scope", "invalid_request")
        expect(
            answer.object().get("error_description") or answer.object().get("error_uri"),
            f"there is no reason: {answer.excerpt()}",
        )

    @check("not-signed", "An assertion without a signature does not do", 335, 340)
    def refuses_unsigned(self):
        self.refused("alg none", unsigned(self.claims()))
        signed = self.key.sign(self.claims())
        self.refused("the signature cut off", signed.rpartition(".")[0] + ".")
        self.refused("the signature changed", signed[:-8] + ("A" * 8 if not signed.endswith("A" * 8) else "B" * 8))
        other = self.key.sign(self.claims())
        self.refused("the claims of another", ".".join((signed.split(".")[0], other.split(".")[1], signed.split(".")[2])))

    @check("public-key-as-secret", "Nor one that takes the public key for a secret", 335, 340)
    def refuses_hmac(self):
        self.refused("alg HS256", signed_by_secret(self.claims(), self.key.public_pem(), kid=self.key.kid))

    @check("own-key", "Nor one by a key that it brings along, or that is elsewhere", 338, 340)
    def refuses_brought_keys(self):
        other = Key.fresh(self.key.alg, self.key.kid)
        self.refused("a key of its own with the kid", other.sign(self.claims()))
        self.refused("a key in the header", other.sign(self.claims(), jwk=other.jwk()))
        self.refused("an address of keys", other.sign(self.claims(), jku="https://evil.example/jwks"))
        self.refused("an address of keys, with the right key", self.key.sign(self.claims(), jku="https://evil.example/jwks"))

    @check("kid", "Nor one that names no key, or one that is not registered", 338, 340)
    def refuses_unknown_kids(self):
        self.refused("an unknown kid", self.key.sign(self.claims(), kid="no-such-key"))
        self.refused("no kid", self.key.sign(self.claims(), kid=None))

    @check("audience", "Nor one for another server", 335, 340)
    def refuses_other_audiences(self):
        for audience in ("https://other.example/token", self.audience + "x", self.site.base, "", None):
            self.refused(f"aud {audience!r}", self.key.sign(self.claims(aud=audience)))

    @check("time", "Nor one that is over, has no end, or ends in more than five minutes", 335, 340)
    def refuses_wrong_times(self):
        now = int(time.time())
        for what, end in (
            ("over", now - 60),
            ("long over", 1),
            ("without end", None),
            ("ending in an hour", now + 3600),
            ("a text", "soon"),
        ):
            self.refused(what, self.key.sign(self.claims(exp=end)))

    @check("replay", "Nor one that was used before, or has no jti", 336, 340)
    def refuses_replays(self):
        assertion = self.key.sign(self.claims())
        expect_status(self.send(assertion), 200)
        self.refused("the same assertion", assertion)
        jti = secrets.token_urlsafe(16)
        expect_status(self.send(self.key.sign(self.claims(jti=jti))), 200)
        self.refused("another assertion with the same jti", self.key.sign(self.claims(jti=jti)))
        self.refused("no jti", self.key.sign(self.claims(jti=None)))

    @check("issuer", "Nor one of a client that is not known, or that speaks for another", 337, 340)
    def refuses_other_issuers(self):
        self.refused("an unknown client", self.key.sign(self.claims(iss="no-such-client", sub="no-such-client")))
        self.refused("iss of another", self.key.sign(self.claims(iss="no-such-client")))
        self.refused("sub of another", self.key.sign(self.claims(sub="no-such-client")))
        other = next((client for client in self.site.clients.values() if client.id != self.client.id), None)
        if other:
            self.refused("another app", self.key.sign(self.claims(iss=other.id, sub=other.id)))
            self.refused("client_id of another", self.key.sign(self.claims()), client_id=other.id)

    @check("type", "Nor one of another type, nor none at all", 340)
    def refuses_other_types(self):
        # RFC 6749 has both errors for a way of authentication that is not known.
        answer = self.send(
            self.key.sign(self.claims()), client_assertion_type="urn:ietf:params:oauth:client-assertion-type:saml2-bearer"
        )
        expect_error(answer, (400, 401), "invalid_client", "invalid_request")
        for what, text in (("no token", "a"), ("two parts", "a.b"), ("not base64", "*.*.*"), ("a long text", "a" * 20_000)):
            self.refused(what, text)
        answer = self.send(None, client_assertion_type=None)
        expect_error(answer, (400, 401), "invalid_client", "invalid_request")
        answer = self.send(None, client_assertion_type=None, client_id=self.client.id)
        expect_error(answer, (400, 401), "invalid_client", "invalid_request")
