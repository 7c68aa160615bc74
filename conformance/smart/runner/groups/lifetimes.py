"""How tokens go on, how they end, and what they are worth meanwhile.

Spec: SMART App Launch 2.2 app-launch.html#refresh-access-token, token-introspection.html; RFC 7009, RFC 7662
"""

import time

from ..checks import Group, Skipped, check, expect, expect_error, expect_status, fixture
from ..flow import Browser, Choices
from ..jose import parts

OFFLINE = "launch/patient openid fhirUser offline_access patient/Patient.rs patient/Observation.rs"
# How long an answer that was lost on the way is given once more, in seconds, and a little.
GRACE = 11
# How long a code may live, in seconds, and a little.
CODE_SECONDS = 62
# How long the end of a token is waited for, in seconds.
LONGEST_LIFE = 300
# How far the clocks of the server and of this machine may be apart, in seconds.
DRIFT = 60


class Refresh(Group):
    name = "refresh"
    says = "A refresh token gives new tokens, each once"
    capabilities = ("permission-offline", "launch-standalone")
    settings = ("person", "patients")

    @property
    def app(self):
        return self.site.app()

    @fixture
    def first(self):
        return self.site.grant(self.app, OFFLINE)

    @fixture
    def second(self):
        answer = expect_status(self.site.refresh(self.app, self.first.refresh_token), 200)
        return answer, answer.object()

    @check("token", "The answer has a new token with its lifetime and scope", 81, 101, 110, 111, 112, 113)
    def gets_a_token(self):
        answer, body = self.second
        expect(body["access_token"] != self.first.token, "the access token is the old one")
        expect(str(body.get("token_type", "")).lower() == "bearer", f"token_type is {body.get('token_type')!r}")
        expect(
            isinstance(body.get("expires_in"), int) and 0 < body["expires_in"] <= 3600,
            f"expires_in is {body.get('expires_in')!r}",
        )
        expect("no-store" in answer.header("Cache-Control"), f"Cache-Control is {answer.header('Cache-Control')!r}")
        self.site.read(self.site.patient, body["access_token"])

    @check("same-scope", "Without a scope in the request it is what it was", 109, 114)
    def keeps_the_scope(self):
        _, body = self.second
        expect(
            set(body["scope"].split()) == set(self.first.scopes), f"{body['scope']!r} instead of {' '.join(self.first.scopes)!r}"
        )

    @check("context", "The patient stays the same", 118)
    def keeps_the_context(self):
        _, body = self.second
        expect(body.get("patient") == self.first.body["patient"], f"the patient is {body.get('patient')!r}")

    @check("rotation", "With it comes a new refresh token", 116)
    def rotates(self):
        _, body = self.second
        expect(
            body.get("refresh_token") not in (None, self.first.refresh_token),
            "the refresh token is the old one, or there is none",
        )

    @check("narrower", "A narrower scope is given as asked, and does no more", 104, 113, 115)
    def narrows(self):
        grant = self.site.grant(self.app, OFFLINE)
        narrow = expect_status(
            self.site.refresh(self.app, grant.refresh_token, scope="launch/patient patient/Patient.rs"), 200
        ).object()
        granted = {scope for scope in narrow["scope"].split() if scope.startswith("patient/")}
        expect(granted == {"patient/Patient.rs"}, f"granted: {narrow['scope']}")
        self.site.read(self.site.patient, narrow["access_token"])
        expect_status(self.site.fhir("GET", f"Observation?patient={self.site.patient}", narrow["access_token"]), 403)

    @check("wider", "A scope that was not granted is not given", 103, 104)
    def does_not_widen(self):
        grant = self.site.grant(self.app, OFFLINE)
        wide = self.site.refresh(
            self.app, grant.refresh_token, scope="launch/patient patient/Patient.rs patient/Condition.rs patient/*.cruds"
        )
        if wide.status == 200:
            granted = {scope for scope in wide.object()["scope"].split() if scope.startswith("patient/")}
            expect(granted <= set(grant.scopes), f"granted: {sorted(granted)}")
        else:
            expect_error(wide, (400,), "invalid_scope")

    @check("other-app", "It is no good in another app's hands", 103)
    def is_bound(self):
        other = next((client for client in self.site.clients.values() if client.redirect_uri and client.id != self.app.id), None)
        if other is None:
            raise Skipped("the configuration names no second app")
        grant = self.site.grant(self.app, OFFLINE)
        expect_error(self.site.refresh(other, grant.refresh_token), (400, 401), "invalid_grant")

    @check("grace", "Asked once more at once, as after a lost answer, it gives the same answer")
    def answers_again(self):
        grant = self.site.grant(self.app, OFFLINE)
        one = expect_status(self.site.refresh(self.app, grant.refresh_token), 200).object()
        other = expect_status(self.site.refresh(self.app, grant.refresh_token), 200).object()
        for member in ("access_token", "refresh_token", "scope"):
            expect(one.get(member) == other.get(member), f"{member} is another")
        self.site.read(self.site.patient, other["access_token"])

    @check("reuse", "Used again after that, it ends all that came of it")
    def ends_the_family(self):
        grant = self.site.grant(self.app, OFFLINE)
        new = expect_status(self.site.refresh(self.app, grant.refresh_token), 200).object()
        self.site.read(self.site.patient, new["access_token"])
        time.sleep(GRACE)
        expect_error(self.site.refresh(self.app, grant.refresh_token), (400,), "invalid_grant")
        expect_error(self.site.refresh(self.app, new["refresh_token"]), (400,), "invalid_grant")
        expect_status(self.site.fhir("GET", self.site.patient, new["access_token"]), 401)

    @check("unknown", "What is no refresh token gives nothing, an access token included")
    def refuses_unknown(self):
        for token in ("nothing-that-was-issued", self.first.token):
            expect_error(self.site.refresh(self.app, token), (400,), "invalid_grant")

    @check("not-access", "A refresh token opens nothing by itself", 94)
    def is_no_access_token(self):
        grant = self.site.grant(self.app, OFFLINE)
        expect_status(self.site.fhir("GET", self.site.patient, grant.refresh_token), 401)

    @check("offline", "Offline, it goes on after the person has signed out", 101, 365)
    def outlives_the_session(self):
        browser = Browser(self.site.setting("person"))
        grant = self.site.grant(self.app, OFFLINE, Choices(record=self.site.patient), browser)
        browser.sign_out(self.site.endpoint("management_endpoint"))
        expect_status(self.site.refresh(self.app, grant.refresh_token), 200)

    @check("online", "Online, it goes on until the person signs out", 100, 366)
    def ends_with_the_session(self):
        if "permission-online" not in self.site.discovery["capabilities"]:
            raise Skipped("the server does not advertise the capability permission-online")
        browser = Browser(self.site.setting("person"))
        scope = OFFLINE.replace("offline_access", "online_access")
        grant = self.site.grant(self.app, scope, Choices(record=self.site.patient), browser)
        expect("online_access" in grant.scopes, f"granted: {grant.scopes}")
        new = expect_status(self.site.refresh(self.app, grant.refresh_token), 200).object()
        browser.sign_out(self.site.endpoint("management_endpoint"))
        expect_error(self.site.refresh(self.app, new["refresh_token"]), (400,), "invalid_grant")

    @check("not-asked", "An app that does not ask for it gets no refresh token", 89)
    def is_asked_for(self):
        grant = self.site.grant(self.app, "launch/patient patient/Patient.rs")
        expect("refresh_token" not in grant.body, "there is a refresh token")


class Expiry(Group):
    name = "expiry"
    says = "Codes and tokens end by themselves; takes minutes, and is run when it is named"
    is_slow = True
    members = ("authorization_endpoint",)
    settings = ("person", "patients")

    @check("code", "A code that was not taken up within a minute gives nothing", 58)
    def ends_codes(self):
        request, outcome = self.site.code(self.site.app(), OFFLINE)
        time.sleep(CODE_SECONDS)
        expect_error(self.site.exchange(request, outcome), (400,), "invalid_grant")

    @check("token", "A token whose time is over opens nothing, and is not active", 77, 94, 265)
    def ends_tokens(self):
        client = self.site.client("backend")
        body = self.site.backend_token(client)
        if body["expires_in"] > LONGEST_LIFE:
            raise Skipped(f"the token lives for {body['expires_in']} s")
        expect_status(self.site.fhir("GET", "Patient?_count=1", body["access_token"]), 200)
        time.sleep(body["expires_in"] + 1)
        expect_status(self.site.fhir("GET", "Patient?_count=1", body["access_token"]), 401)
        answer = self.site.as_client(client, self.site.endpoint("introspection_endpoint"), {"token": body["access_token"]})
        expect(answer.object() == {"active": False}, f"the answer is {answer.excerpt()}")


class Revocation(Group):
    name = "revocation"
    says = "An app ends its tokens before their time"
    members = ("revocation_endpoint",)
    settings = ("person", "patients")

    def revoke(self, client, token, **more):
        return self.site.as_client(client, self.site.endpoint("revocation_endpoint"), {"token": token} | more)

    @check("access", "An access token that is revoked opens nothing more", 392)
    def ends_access_tokens(self):
        grant = self.site.grant(self.site.app(), OFFLINE)
        self.site.read(self.site.patient, grant.token)
        expect_status(self.revoke(grant.client, grant.token), 200)
        expect_status(self.site.fhir("GET", self.site.patient, grant.token), 401)

    @check("refresh", "With a refresh token its access tokens end", 392)
    def ends_the_family(self):
        grant = self.site.grant(self.site.app(), OFFLINE)
        expect_status(self.revoke(grant.client, grant.refresh_token, token_type_hint="refresh_token"), 200)
        expect_error(self.site.refresh(grant.client, grant.refresh_token), (400,), "invalid_grant")
        expect_status(self.site.fhir("GET", self.site.patient, grant.token), 401)

    @check("unknown", "What is no token is answered as if it had been ended")
    def passes_over_unknown(self):
        expect_status(self.revoke(self.site.app(), "nothing-that-was-issued"), 200)
        expect_status(self.revoke(self.site.app(), "nothing-that-was-issued", token_type_hint="nothing-known"), 200)

    @check("other-app", "Another app's token stays")
    def leaves_others(self):
        other = next(
            (client for client in self.site.clients.values() if client.redirect_uri and client.id != self.site.app().id), None
        )
        if other is None:
            raise Skipped("the configuration names no second app")
        grant = self.site.grant(self.site.app(), OFFLINE)
        expect_status(self.revoke(other, grant.token), 200, 400)
        expect_status(self.revoke(other, grant.refresh_token), 200, 400)
        self.site.read(self.site.patient, grant.token)

    @check("authentication", "An app that has a secret must show it")
    def needs_the_secret(self):
        client = self.site.client("symmetric")
        grant = self.site.grant(client, OFFLINE)
        url = self.site.endpoint("revocation_endpoint")
        expect_error(
            self.site.agent.ask("POST", url, {"token": grant.token, "client_id": client.id}), (400, 401), "invalid_client"
        )
        self.site.read(self.site.patient, grant.token)

    @check("public", "An app without a secret names itself")
    def takes_public_apps(self):
        grant = self.site.grant(self.site.client("public"), OFFLINE)
        expect_status(self.revoke(grant.client, grant.token), 200)
        expect_status(self.site.fhir("GET", self.site.patient, grant.token), 401)


class Introspection(Group):
    name = "introspection"
    says = "What a token is worth is told to who may ask"
    members = ("introspection_endpoint",)
    settings = ("person", "patients")

    @property
    def app(self):
        return self.site.client("symmetric", "asymmetric")

    @fixture
    def grant(self):
        return self.site.grant(self.app, OFFLINE)

    def ask(self, token, client=None):
        answer = self.site.as_client(client or self.app, self.site.endpoint("introspection_endpoint"), {"token": token})
        return expect_status(answer, 200).object()

    @fixture
    def told(self):
        return self.ask(self.grant.token)

    @check("active", "A token in force is active, with the scope and the app it was issued for", 269, 271, 272, 273, 274, 391)
    def is_active(self):
        expect(self.told.get("active") is True, f"the members are {self.told}")
        expect(
            set(self.told.get("scope", "").split()) == set(self.grant.scopes),
            f"scope is {self.told.get('scope')!r} instead of {' '.join(self.grant.scopes)!r}",
        )
        expect(self.told.get("client_id") == self.app.id, f"client_id is {self.told.get('client_id')!r}")

    @check("expiry", "It says when the token expires, as its answer did", 275, 276)
    def tells_the_expiry(self):
        exp = self.told.get("exp")
        expect(isinstance(exp, int), f"exp is {exp!r}")
        left = exp - time.time()
        expect(
            0 < left <= self.grant.body["expires_in"] + DRIFT,
            f"it expires in {left:.0f} s; expires_in was {self.grant.body['expires_in']}",
        )

    @check("context", "It has the context that came with the token", 277)
    def tells_the_context(self):
        for member in ("patient", "encounter", "need_patient_banner", "intent", "smart_style_url", "tenant", "fhirContext"):
            if member in self.grant.body:
                expect(
                    self.told.get(member) == self.grant.body[member],
                    f"{member} is {self.told.get(member)!r} instead of {self.grant.body[member]!r}",
                )
        expect("patient" in self.grant.body, "the token has no patient")

    @check("identity", "It has iss, sub and fhirUser of the id token that came along", 278, 279, 280)
    def tells_the_person(self):
        if "id_token" not in self.grant.body:
            raise Skipped("the server issues no id tokens")
        claims = parts(self.grant.body["id_token"])[1]
        for member in ("iss", "sub", "fhirUser"):
            expect(
                self.told.get(member) == claims.get(member),
                f"{member} is {self.told.get(member)!r} instead of {claims.get(member)!r}",
            )

    @check("inactive", "Of what is no token in force nothing is told but that it is not active", 272)
    def is_inactive(self):
        revoked = self.site.grant(self.app, OFFLINE)
        answer = self.site.as_client(self.app, self.site.endpoint("revocation_endpoint"), {"token": revoked.token})
        expect_status(answer, 200)
        for token in ("nothing-that-was-issued", revoked.token, revoked.refresh_token, self.grant.outcome.code):
            told = self.ask(token)
            expect(told == {"active": False}, f"the answer is {told}")

    @check("authentication", "Who does not show who they are is told nothing", 281)
    def needs_authentication(self):
        url = self.site.endpoint("introspection_endpoint")
        expect_status(self.site.agent.ask("POST", url, {"token": self.grant.token}), 400, 401)
        public = self.site.clients.get("public")
        if public:
            expect_status(self.site.agent.ask("POST", url, {"token": self.grant.token, "client_id": public.id}), 400, 401)
        bearer = {"Authorization": "Bearer nothing-that-was-issued"}
        expect_status(self.site.agent.ask("POST", url, {"token": self.grant.token}, bearer), 401)

    @check("bearer", "A token that lets it may ask instead of a secret", 282)
    def takes_a_token(self):
        url = self.site.endpoint("introspection_endpoint")
        other = self.site.grant(self.app, OFFLINE)
        answer = self.site.agent.ask("POST", url, {"token": self.grant.token}, {"Authorization": f"Bearer {other.token}"})
        expect(expect_status(answer, 200).object().get("active") is True, f"the answer is {answer.excerpt()}")

    @check("any-app", "An app that may ask is told of another app's token as well", 283)
    def tells_of_other_apps(self):
        other = next((client for client in self.site.clients.values() if client.redirect_uri and client.id != self.app.id), None)
        if other is None:
            raise Skipped("the configuration names no second app")
        grant = self.site.grant(other, OFFLINE)
        told = self.ask(grant.token)
        expect(told.get("active") is True and told.get("client_id") == other.id, f"the answer is {told}")
