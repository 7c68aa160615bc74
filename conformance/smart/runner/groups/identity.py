"""Who the person is: id tokens.

Spec: SMART App Launch 2.2 scopes-and-launch-context.html#scopes-for-requesting-identity-data; OpenID Connect Core 1.0
"""

import time

from ..checks import Group, check, expect, expect_status, fixture
from ..flow import Choices
from ..jose import parts, verified
from ..site import key_of

PEOPLE = ("Patient", "Practitioner", "PractitionerRole", "RelatedPerson", "Person")
DRIFT = 60


class OpenId(Group):
    name = "openid"
    says = "An app is told who signed in"
    capabilities = ("sso-openid-connect", "launch-standalone")
    settings = ("person", "patients")
    SCOPE = "launch/patient openid fhirUser patient/Patient.rs"
    NONCE = "a nonce of this run"

    @fixture
    def grant(self):
        return self.site.grant(self.site.app(), self.SCOPE, nonce=self.NONCE)

    @fixture
    def claims(self):
        expect("id_token" in self.grant.body, f"the answer has no id_token: its members are {sorted(self.grant.body)}")
        return verified(self.grant.body["id_token"], self.site.jwks)

    @check("signature", "The id token is signed by RS256 with a key that is published", 80, 200, 205, 207, 210, 358)
    def is_signed(self):
        self.claims

    @check("claims", "It is by the issuer, for the app, about a person, and not over", 200)
    def has_claims(self):
        claims, now = self.claims, time.time()
        expect(claims.get("iss") == self.site.issuer, f"iss is {claims.get('iss')!r}")
        audience = claims.get("aud")
        expect(audience in (self.site.app().id, [self.site.app().id]), f"aud is {audience!r}")
        expect(isinstance(claims.get("sub"), str) and 0 < len(claims["sub"].encode()) <= 255, f"sub is {claims.get('sub')!r}")
        expect(isinstance(claims.get("iat"), int) and abs(claims["iat"] - now) < DRIFT, f"iat is {claims.get('iat')!r}")
        expect(isinstance(claims.get("exp"), int) and claims["exp"] > now, f"exp is {claims.get('exp')!r}")

    @check("nonce", "The nonce of the request is in it, and none without one", 205)
    def has_the_nonce(self):
        expect(self.claims.get("nonce") == self.NONCE, f"nonce is {self.claims.get('nonce')!r}")
        other = self.site.grant(self.site.app(), self.SCOPE)
        expect("nonce" not in verified(other.body["id_token"], self.site.jwks), "there is a nonce that nobody gave")

    @check("fhir-user", "fhirUser leads to the person, and the token reads it", 197, 198, 203, 209)
    def has_a_fhir_user(self):
        url = self.claims.get("fhirUser")
        expect(isinstance(url, str), f"fhirUser is {url!r}")
        path = url.removeprefix(self.site.base + "/")
        expect(path.split("/")[0] in PEOPLE, f"fhirUser is {url!r}")
        wanted = self.site.setting("person").get("fhirUser")
        expect(wanted in (None, path), f"fhirUser is {url!r} instead of {wanted}")
        expect(key_of(self.site.read(path, self.grant.token)) == path, "another resource was answered")

    @check("professional", "So it does for a professional", 198, 209)
    def is_a_practitioner(self):
        grant = self.site.grant(self.site.app(), "openid fhirUser user/Patient.rs", Choices(), self._professional())
        url = verified(grant.body["id_token"], self.site.jwks).get("fhirUser", "")
        path = url.removeprefix(self.site.base + "/")
        wanted = self.site.setting("professional").get("fhirUser")
        expect(wanted in (None, path), f"fhirUser is {url!r} instead of {wanted}")
        self.site.read(path, grant.token)

    def _professional(self):
        self.site.setting("professional")
        return self.site.browser("professional")

    @check("subject", "The same person is the same subject each time, and another is another")
    def is_stable(self):
        again = verified(self.site.grant(self.site.app(), self.SCOPE).body["id_token"], self.site.jwks)
        expect(again["sub"] == self.claims["sub"], "sub is another at the second time")
        other = self.site.grant(self.site.app(), "openid fhirUser user/Patient.rs", Choices(), self._professional())
        expect(parts(other.body["id_token"])[1]["sub"] != self.claims["sub"], "two people have the same sub")

    @check("auth-time", "With max_age it says when the person signed in")
    def tells_the_time(self):
        grant = self.site.grant(self.site.app(), self.SCOPE, max_age="3600")
        moment = verified(grant.body["id_token"], self.site.jwks).get("auth_time")
        expect(isinstance(moment, int) and time.time() - 3600 - DRIFT < moment < time.time() + DRIFT, f"auth_time is {moment!r}")

    @check("not-access", "It opens nothing", 94)
    def is_no_access_token(self):
        self.claims
        expect_status(self.site.fhir("GET", self.site.patient, self.grant.body["id_token"]), 401)

    @check("not-asked", "Without openid there is no id token")
    def is_asked_for(self):
        grant = self.site.grant(self.site.app(), "launch/patient patient/Patient.rs")
        expect("id_token" not in grant.body, "there is an id token")
