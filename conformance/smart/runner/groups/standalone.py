"""Apps that people start by themselves: with everything, with a part, without a secret, with a key.

Spec: SMART App Launch 2.2 app-launch.html, client-confidential-symmetric.html, client-confidential-asymmetric.html
"""

import re
import time

from ..agent import with_query
from ..checks import Group, Skipped, check, expect, expect_error, expect_status, fixture
from ..flow import Browser, Choices
from ..jose import Key, assertion_claims
from ..pages import Page
from ..site import ASSERTION, Grant, Request, key_of

FULL = "launch/patient openid fhirUser offline_access patient/*.rs"
TOKEN_CHARACTERS = re.compile(r"[A-Za-z0-9._~+/-]+=*")
# RFC 6749 appendix A.12
PRINTABLE = re.compile(r"[\x20-\x7e]+")


class Full(Group):
    name = "standalone-full"
    says = "An app that is allowed all that it asks for"
    capabilities = ("launch-standalone",)
    settings = ("person", "patients")

    @fixture
    def grant(self):
        return self.site.grant(self.site.app(), FULL)

    @check("wrong-password", "A wrong password opens nothing and tells nothing")
    def refuses_wrong_password(self):
        texts = []
        for email in (self.site.setting("person")["email"], "nobody-of-this-name@example.org"):
            browser = Browser({"email": email, "password": "not the one, surely"})
            outcome = self.site.authorize(Request(self.site, self.site.app(), FULL), browser=browser)
            expect(outcome.returned is None and outcome.seen, f"with a wrong password {outcome.told()}")
            expect(outcome.seen[-1].form_with("email", "password"), f"with a wrong password {outcome.told()}")
            texts.append(outcome.seen[-1].text.replace(email, ""))
        expect(texts[0] == texts[1], "the page tells whether there is such an account")

    @check("redirect", "The app gets back a code, its state unchanged, and who issued", 53, 56, 57, 59)
    def comes_back(self):
        state = "a state-_.~!*'() with %20 & = +"
        request, outcome = self.site.code(self.site.app(), FULL, state=state)
        expect(outcome.returned.get("state") == state, f"the state is {outcome.returned.get('state')!r} instead of {state!r}")
        # RFC 9207
        if self.site.discovery.get("authorization_response_iss_parameter_supported"):
            expect(outcome.returned.get("iss") == self.site.issuer, f"iss is {outcome.returned.get('iss')!r}")

    @check("token", "The answer has a Bearer token, its lifetime and its scope", 73, 74, 75, 76, 78, 84, 85, 88, 91)
    def gets_a_token(self):
        body = self.grant.body
        expect(
            isinstance(body["access_token"], str) and TOKEN_CHARACTERS.fullmatch(body["access_token"]),
            "access_token has other characters",
        )
        expect(str(body.get("token_type", "")).lower() == "bearer", f"token_type is {body.get('token_type')!r}")
        seconds = body.get("expires_in")
        expect(isinstance(seconds, int) and 0 < seconds <= 3600, f"expires_in is {seconds!r}")
        expect(PRINTABLE.fullmatch(body.get("scope", "")), f"scope is {body.get('scope')!r}")
        expect(self.grant.answer.media_type == "application/json", f"the media type is {self.grant.answer.media_type}")

    @check("no-store", "The answer is kept by no cache", 86, 87)
    def is_not_kept(self):
        answer = self.grant.answer
        expect("no-store" in answer.header("Cache-Control"), f"Cache-Control is {answer.header('Cache-Control')!r}")
        expect("no-cache" in answer.header("Pragma"), f"Pragma is {answer.header('Pragma')!r}")

    @check("scopes", "All that was allowed is in the scope", 78, 144, 363)
    def gets_all_scopes(self):
        asked = set(FULL.split()) - (
            {"offline_access"} if "permission-offline" not in self.site.discovery["capabilities"] else set()
        )
        granted = set(self.grant.scopes)
        expect("patient/*.rs" in granted or "patient/Observation.rs" in granted, f"granted: {sorted(granted)}")
        missing = asked - granted - {"patient/*.rs"}
        expect(not missing, f"not granted: {sorted(missing)}")

    @check("patient", "The Patient that was chosen comes with the token", 164, 168, 169, 170, 353, 363)
    def gets_the_patient(self):
        expect(self.grant.patient == self.site.patient, f"the patient is {self.grant.patient}")
        for chosen in self.site.setting("patients")[1:]:
            other = self.site.grant(self.site.app(), FULL, Choices(record=chosen))
            expect(other.patient == chosen, f"{chosen} was chosen, and the patient is {other.patient}")

    @check("read", "The token reads the Patient and what is about them", 95, 136, 367)
    def reads(self):
        token = self.grant.token
        expect(key_of(self.site.read(self.site.patient, token)) == self.site.patient, "another Patient was answered")
        found = self.site.search(f"Observation?patient={self.site.patient}", token)
        expect(found, "no Observation was found")
        self.site.read(key_of(found[0]), token)
        self.site.search(f"Encounter?patient={self.site.patient}", token)

    @check("other-patient", "It does not reach a Patient who was not chosen", 136)
    def reads_no_other(self):
        others = self.site.setting("patients")[1:] + ([self.site.config["stranger"]] if self.site.config.get("stranger") else [])
        if not others:
            raise Skipped("the configuration names one patient and no stranger")
        for other in others:
            expect_status(self.site.fhir("GET", other, self.grant.token), 403, 404)
            found = [key_of(patient) for patient in self.site.search("Patient", self.grant.token)]
            expect(found == [self.site.patient], f"a search finds {found}")
            answer = self.site.fhir("GET", f"Observation?patient={other}", self.grant.token)
            if answer.status == 200:
                expect(not answer.object().get("entry"), f"Observations of {other} were found")
            else:
                expect_status(answer, 403, 404)

    @check("no-write", "What was not granted is not written", 95)
    def writes_nothing(self):
        body = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "a"},
            "subject": {"reference": self.site.patient},
        }
        expect_status(self.site.fhir("POST", "Observation", self.grant.token, body), 403)

    @check("no-token", "Without a token, or with one that is none, the answer is 401", 94)
    def needs_a_token(self):
        for headers in ({}, {"Authorization": "Bearer nothing-that-was-issued"}, {"Authorization": "Bearer"}):
            answer = expect_status(self.site.fhir("GET", self.site.patient, headers=headers), 401)
            expect("bearer" in answer.header("WWW-Authenticate").lower(), "there is no WWW-Authenticate with Bearer")
        expect_status(self.site.fhir("GET", with_query(self.site.patient, {"access_token": self.grant.token})), 401)

    @check("declined", "When the person declines, the app hears access_denied", 54, 59)
    def is_declined(self):
        request = Request(self.site, self.site.app(), FULL, prompt="consent")
        outcome = self.site.authorize(request, Choices(record=self.site.patient, allows=False))
        expect(outcome.error == "access_denied", outcome.told())
        expect(outcome.returned.get("state") == request.parameters["state"], "the state did not come back")

    @check("post", "The authorization endpoint takes a form by POST as well", 48, 49, 354)
    def takes_post(self):
        if "authorize-post" not in self.site.discovery["capabilities"]:
            raise Skipped("the server does not advertise the capability authorize-post")
        request = Request(self.site, self.site.app(), FULL)
        outcome = self.site.authorize(request, post=True)
        expect(outcome.code, outcome.told())
        grant = Grant(request.client, request, outcome, expect_status(self.site.exchange(request, outcome), 200))
        expect(grant.patient == self.site.patient, f"the patient is {grant.patient}")

    @check("secret-in-body", "A secret is taken in the form, too, if that is advertised", 356)
    def takes_secret_in_body(self):
        client = self.site.client("symmetric")
        if "client_secret_post" not in self.site.discovery.get("token_endpoint_auth_methods_supported", []):
            raise Skipped("the server does not advertise client_secret_post")
        request, outcome = self.site.code(client, FULL)
        form = {
            "grant_type": "authorization_code",
            "code": outcome.code,
            "redirect_uri": client.redirect_uri,
            "code_verifier": request.verifier,
            "client_id": client.id,
            "client_secret": client.secret,
        }
        expect_status(self.site.agent.ask("POST", self.site.endpoint("token_endpoint"), form), 200)

    @check("no-backend", "An app of a person gets no token for itself by its secret", 344)
    def is_no_backend(self):
        client = self.site.client("symmetric")
        form = {"grant_type": "client_credentials", "scope": "system/*.rs"}
        expect_error(self.site.token_request(client, form), (400, 401), "unauthorized_client", "invalid_client", "invalid_grant")

    @check("encounter", "An app that asks for an encounter gets one", 149, 167, 364)
    def gets_an_encounter(self):
        if "context-standalone-encounter" not in self.site.discovery["capabilities"]:
            raise Skipped("the server does not advertise the capability context-standalone-encounter")
        grant = self.site.grant(self.site.app(), "launch/patient launch/encounter patient/*.rs")
        expect(isinstance(grant.body.get("encounter"), str), f"the answer has no encounter: {sorted(grant.body)}")
        encounter = self.site.read(f"Encounter/{grant.body['encounter']}", grant.token)
        expect(encounter["subject"]["reference"] == grant.patient, f"the encounter is of {encounter['subject']}")

    @check("fresh-sign-in", "prompt=none without a session asks nobody, prompt=login asks again")
    def prompts(self):
        request = Request(self.site, self.site.app(), FULL, prompt="none")
        outcome = self.site.authorize(request, browser=Browser(self.site.setting("person")))
        expect(outcome.error in ("login_required", "interaction_required", "consent_required"), outcome.told())
        outcome = self.site.authorize(Request(self.site, self.site.app(), FULL, prompt="login"))
        expect(any(page.form_with("password") for page in outcome.seen), "prompt=login asked for no password")

    @check("framing", "The pages can't be framed, and are kept by no cache")
    def pages_are_safe(self):
        url = with_query(
            self.site.endpoint("authorization_endpoint"), Request(self.site, self.site.app(), FULL, prompt="consent").pairs()
        )
        browser = Browser(self.site.setting("person"))
        answer, _ = browser.follow(browser.open(url))
        pages = [answer]
        form = browser.sign_in_form(answer)
        expect(form, f"the first page has no form with email and password: {Page(answer).told()}")
        pages.append(browser.follow(browser.sign_in(Page(answer), form))[0])
        for page in pages:
            policy = page.header("Content-Security-Policy")
            expect(
                "frame-ancestors 'none'" in policy or page.header("X-Frame-Options").upper() == "DENY",
                f"{page.request} can be framed",
            )
            expect(
                "no-store" in page.header("Cache-Control"), f"{page.request}: Cache-Control is {page.header('Cache-Control')!r}"
            )
            expect(
                len(Page(page).headings) == 1,
                f"{page.request}: the page has {len(Page(page).headings)} headings of the first level",
            )

    @check("see-other", "No redirect sends a form on, and the one with the code is kept by no cache", 56)
    def redirects_by_get(self):
        browser = Browser(self.site.setting("person"))
        outcome = self.site.authorize(Request(self.site, self.site.app(), FULL, prompt="consent"), browser=browser)
        expect(outcome.code, outcome.told())
        redirects = [answer for answer in browser.trail if 300 <= answer.status < 400]
        for answer in redirects:
            wanted = (303,) if answer.request.startswith("POST") else (302, 303)
            expect(answer.status in wanted, f"{answer.request}: {answer.status}")
        expect("no-store" in redirects[-1].header("Cache-Control"), f"Cache-Control is {redirects[-1].header('Cache-Control')!r}")

    @check("cookies", "The cookie of a session is new after the sign-in, and no script or other site gets at it")
    def keeps_cookies(self):
        browser = Browser(self.site.setting("person"))
        request = Request(self.site, self.site.app(), FULL, prompt="consent")
        url = with_query(self.site.endpoint("authorization_endpoint"), request.pairs())
        answer, _ = browser.follow(browser.open(url))
        before = {cookie.name: cookie.value for cookie in browser.agent.jar}
        browser.follow(browser.sign_in(Page(answer), browser.sign_in_form(answer)))
        fresh = [cookie for cookie in browser.agent.jar if before.get(cookie.name) != cookie.value]
        expect(fresh, "the sign-in gave no new cookie")
        told = [line for answer in browser.trail for line in answer.headers.get_all("Set-Cookie", [])]
        for line in told:
            attributes = {part.strip().lower() for part in line.split(";")[1:]}
            expect("httponly" in attributes, f"a cookie is open to scripts: {line.split('=')[0]}")
            expect(
                {"samesite=lax", "samesite=strict"} & attributes, f"a cookie goes along with other sites: {line.split('=')[0]}"
            )
            if self.site.base.startswith("https://"):
                expect("secure" in attributes, f"a cookie goes without TLS: {line.split('=')[0]}")

    @check("secrets", "Codes and tokens are long and no two are alike")
    def gives_long_secrets(self):
        seen = []
        for _ in range(3):
            grant = self.site.grant(self.site.app(), FULL)
            seen += [grant.outcome.code, grant.token] + ([grant.body["refresh_token"]] if "refresh_token" in grant.body else [])
        expect(len(set(seen)) == len(seen), "two are alike")
        # 128 bits in base64url.
        expect(all(len(secret) >= 22 for secret in seen), f"the shortest has {min(map(len, seen))} characters")

    @check("forged-form", "A form that another site sends is refused")
    def refuses_forged_forms(self):
        url = with_query(self.site.endpoint("authorization_endpoint"), Request(self.site, self.site.app(), FULL).pairs())
        browser = Browser(self.site.setting("person"))
        answer, _ = browser.follow(browser.open(url))
        page = Page(answer)
        pairs = page.form_with("email", "password").filled(
            texts=dict(email=browser.person["email"], password=browser.person["password"])
        )
        forged = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        action = page.form_with("email", "password").action
        expect_status(browser.agent.ask("POST", action, pairs, forged), 400, 403)
        bare = [(name, value) for name, value in pairs if name in ("email", "password")]
        expect_status(browser.agent.ask("POST", action, bare), 400, 403)


class Limited(Group):
    name = "standalone-limited"
    says = "A person allows some of what an app asks for"
    capabilities = ("launch-standalone",)
    settings = ("person", "patients")
    ASKED = "launch/patient patient/Patient.rs patient/Observation.rs patient/Condition.rs patient/Encounter.rs"
    KEPT = {"patient/Patient.rs", "patient/Observation.rs"}

    @fixture
    def grant(self):
        # What was allowed before is asked again, too.
        choices = Choices(record=self.site.patient, scopes=self.keeps)
        return self.site.grant(self.site.app(), self.ASKED, choices, prompt="consent")

    def keeps(self, scope, is_on):
        """Leaves on what is no resource scope, and what is kept."""
        return is_on and ("/" not in scope or scope.startswith("launch") or scope in self.KEPT)

    @check("boxes", "Each kind of data has a box of its own", 119)
    def has_boxes(self):
        self.grant
        offered = set(self.grant.outcome.seen[-1].form_with("decision").values("scope"))
        missing = {scope for scope in self.ASKED.split() if scope.startswith("patient/")} - offered
        expect(not missing, f"no box for {sorted(missing)}; there are {sorted(offered)}")

    @check("scope", "The scope is what was left ticked, and nothing else", 78, 79, 145)
    def gets_what_is_kept(self):
        granted = {scope for scope in self.grant.scopes if scope.startswith("patient/")}
        expect(granted == self.KEPT, f"granted: {sorted(granted)}")

    @check("reads", "What was allowed is read", 95)
    def reads(self):
        self.site.read(self.site.patient, self.grant.token)
        expect(self.site.search(f"Observation?patient={self.site.patient}", self.grant.token), "no Observation was found")

    @check("denied", "A type that was not allowed is answered 403", 95, 119)
    def is_denied(self):
        for path in ("Condition", "Encounter", "Immunization"):
            answer = self.site.fhir("GET", f"{path}?patient={self.site.patient}", self.grant.token)
            expect_status(answer, 403)
            expect(
                "insufficient_scope" in answer.header("WWW-Authenticate"),
                f"WWW-Authenticate is {answer.header('WWW-Authenticate')!r}",
            )
        encounter = self.site.config.get("encounter")
        if encounter:
            expect_status(self.site.fhir("GET", encounter, self.grant.token), 403)

    @check("include", "It does not come in by an include either", 95)
    def is_not_included(self):
        answer = self.site.fhir(
            "GET", f"Patient?_id={self.site.patient.split('/')[1]}&_revinclude=Condition:subject", self.grant.token
        )
        expect_status(answer, 200, 400, 403)
        if answer.status == 200:
            kinds = {entry["resource"]["resourceType"] for entry in answer.object().get("entry", [])}
            expect("Condition" not in kinds, f"the types are {sorted(kinds)}")

    @check("batch", "Each request within a batch is judged alone", 130)
    def judges_batches(self):
        urls = [self.site.patient, f"Condition?patient={self.site.patient}", f"Observation?patient={self.site.patient}"]
        entries = [{"request": {"method": "GET", "url": url}} for url in urls]
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
        answer = expect_status(self.site.fhir("POST", "", self.grant.token, bundle), 200).object()
        statuses = [entry["response"]["status"][:3] for entry in answer["entry"]]
        expect(statuses == ["200", "403", "200"], f"the statuses are {statuses}")

    @check("transaction", "A transaction with a request that is not allowed is refused whole", 130)
    def judges_transactions(self):
        condition = {"resourceType": "Condition", "subject": {"reference": self.site.patient}, "code": {"text": "a"}}
        entries = [
            {"request": {"method": "GET", "url": self.site.patient}},
            {"resource": condition, "request": {"method": "POST", "url": "Condition"}},
        ]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        expect_status(self.site.fhir("POST", "", self.grant.token, bundle), 403)

    @check("nothing", "An app that is left nothing gets no token that reads anything", 54)
    def grants_nothing(self):
        request = Request(self.site, self.site.app(), "launch/patient patient/Observation.rs", prompt="consent")
        outcome = self.site.authorize(request, Choices(record=self.site.patient, scopes=lambda scope, is_on: False))
        if outcome.code:
            body = self.site.exchange(request, outcome).object()
            expect("access_token" not in body or "patient/" not in body.get("scope", ""), f"the scope is {body.get('scope')}")
        else:
            # Either the app hears it, or the page asks to choose something or to decline.
            expect(outcome.error in ("access_denied", "invalid_scope") or outcome.seen, outcome.told())

    @check("update", "What may be written is written, and put where it was not yet if the server allows that", 123)
    def writes(self):
        grant = self.site.grant(self.site.app(), "launch/patient patient/Observation.cruds")
        body = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "written by a conformance run"},
            "subject": {"reference": self.site.patient},
        }
        made = expect_status(self.site.fhir("POST", "Observation", grant.token, body), 201).object()
        made["note"] = [{"text": "changed"}]
        expect_status(self.site.fhir("PUT", key_of(made), grant.token, made), 200)
        # With an id of the app's choice the server may decline; it must not answer that the scope is lacking.
        chosen = body | {"id": f"chosen-{int(time.time())}"}
        answer = self.site.fhir("PUT", key_of(chosen), grant.token, chosen)
        expect_status(answer, 200, 201, 404, 405)
        expect_status(self.site.fhir("DELETE", key_of(made), grant.token), 200, 204)
        if answer.status in (200, 201):
            expect_status(self.site.fhir("DELETE", key_of(chosen), grant.token), 200, 204)

    @check("other-record", "Nothing is written into the record of another Patient", 95, 136)
    def writes_into_no_other(self):
        others = self.site.setting("patients")[1:] + ([self.site.config["stranger"]] if self.site.config.get("stranger") else [])
        if not others:
            raise Skipped("the configuration names one patient and no stranger")
        grant = self.site.grant(self.site.app(), "launch/patient patient/Observation.cruds")
        mine = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "written by a conformance run"},
            "subject": {"reference": self.site.patient},
        }
        made = expect_status(self.site.fhir("POST", "Observation", grant.token, mine), 201).object()
        for other in others:
            theirs = mine | {"subject": {"reference": other}}
            expect_status(self.site.fhir("POST", "Observation", grant.token, theirs), 403, 404, 422)
            expect_status(self.site.fhir("PUT", key_of(made), grant.token, theirs | {"id": made["id"]}), 403, 404, 422)
        expect_status(self.site.fhir("DELETE", key_of(made), grant.token), 200, 204)


class PublicClient(Group):
    name = "public-client"
    says = "An app that can't keep a secret"
    capabilities = ("client-public", "launch-standalone")
    clients = ("public",)
    settings = ("person", "patients")

    @fixture
    def grant(self):
        return self.site.grant(self.site.clients["public"], FULL)

    @check("token", "It gets a token by its client_id and verifier alone", 31, 355)
    def gets_a_token(self):
        self.site.read(self.grant.patient, self.grant.token)

    @check("refresh", "It can go on offline, if the server gives it that", 81, 102)
    def refreshes(self):
        if "refresh_token" not in self.grant.body:
            raise Skipped("the server gives this app no refresh token")
        client = self.grant.client
        body = expect_status(self.site.refresh(client, self.grant.refresh_token), 200).object()
        self.site.read(self.site.patient, body["access_token"])
        # Some browser libraries send no client_id: the refresh token says whose it is.
        form = {"grant_type": "refresh_token", "refresh_token": body["refresh_token"]}
        answer = self.site.agent.ask("POST", self.site.endpoint("token_endpoint"), form)
        expect_status(answer, 200, 400, 401)

    @check("no-backend", "It gets no token for itself", 240)
    def is_no_backend(self):
        form = {"grant_type": "client_credentials", "scope": "system/*.rs"}
        answer = self.site.token_request(self.site.clients["public"], form)
        expect_error(answer, (400, 401), "unauthorized_client", "invalid_client", "invalid_request")


class AsymmetricClient(Group):
    name = "asymmetric-client"
    says = "An app that shows who it is by a signed assertion"
    capabilities = ("client-confidential-asymmetric", "launch-standalone")
    clients = ("asymmetric",)
    settings = ("person", "patients")

    def by(self, alg):
        client = self.site.clients["asymmetric"]
        if alg not in client.keys:
            raise Skipped(f"the configuration has no key for {alg}")
        if alg not in self.site.discovery.get("token_endpoint_auth_signing_alg_values_supported", []):
            raise Skipped(f"the server does not advertise {alg}")
        grant = self.site.grant(client, FULL, alg=alg)
        self.site.read(grant.patient, grant.token)
        return grant

    @check("rs384", "A code is exchanged with an assertion by RS384", 249, 310, 335, 357)
    def takes_rs384(self):
        self.by("RS384")

    @check("es384", "A code is exchanged with an assertion by ES384", 249, 310, 335, 357)
    def takes_es384(self):
        self.by("ES384")

    @check("refresh", "A refresh token needs an assertion as well", 103, 335)
    def refreshes(self):
        client = self.site.clients["asymmetric"]
        grant = self.site.grant(client, FULL)
        form = {"grant_type": "refresh_token", "refresh_token": grant.refresh_token}
        bare = self.site.agent.ask("POST", self.site.endpoint("token_endpoint"), form | {"client_id": client.id})
        expect_error(bare, (400, 401), "invalid_client")
        body = expect_status(self.site.refresh(client, grant.refresh_token), 200).object()
        self.site.read(self.site.patient, body["access_token"])

    def exchanged(self, request, outcome, assertion):
        proof = (
            {"client_assertion_type": ASSERTION, "client_assertion": assertion} if assertion else {"client_id": request.client.id}
        )
        form = {
            "grant_type": "authorization_code",
            "code": outcome.code,
            "redirect_uri": request.client.redirect_uri,
            "code_verifier": request.verifier,
        }
        return self.site.agent.ask("POST", self.site.endpoint("token_endpoint"), form | proof)

    @check("no-assertion", "Its client_id alone does not do", 337, 340)
    def needs_an_assertion(self):
        request, outcome = self.site.code(self.site.clients["asymmetric"], FULL)
        expect_error(self.exchanged(request, outcome, None), (400, 401), "invalid_client")

    @check("other-key", "An assertion by a key that is not registered does not do", 335, 338, 340)
    def needs_its_own_key(self):
        client = self.site.clients["asymmetric"]
        request, outcome = self.site.code(client, FULL)
        own = next(iter(client.keys.values()))
        forged = Key.fresh(own.alg, own.kid).sign(assertion_claims(client.id, self.site.endpoint("token_endpoint")))
        expect_error(self.exchanged(request, outcome, forged), (400, 401), "invalid_client")
