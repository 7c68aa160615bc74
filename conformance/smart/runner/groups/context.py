"""Apps that are launched from elsewhere: from within the server, or from a device without a browser.

Spec: SMART App Launch 2.2 app-launch.html#launch-app-ehr-launch, scopes-and-launch-context.html#launch-context-arrives-with-your-access_token;
RFC 8628
"""

import json
import time

from ..checks import Failed, Group, Skipped, check, expect, expect_error, expect_status, fixture
from ..flow import Choices
from ..pages import Page
from ..site import Request

LAUNCH = "launch openid fhirUser patient/*.rs"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
# What the server may wait between two polls, in seconds, for the check to be worth its time.
LONGEST_INTERVAL = 10


class EhrLaunch(Group):
    name = "ehr-launch"
    says = "A professional launches an app with a patient and an encounter"
    capabilities = ("launch-ehr",)
    members = ("launch_endpoint",)
    settings = ("professional", "patients", "encounter")

    @fixture
    def token(self):
        """What the professional launches with: their own token."""
        client = self.site.client("launcher", "public", "symmetric")
        browser = self.site.browser("professional")
        return self.site.grant(client, client.scope or "openid fhirUser user/*.rs", Choices(), browser).token

    @property
    def app(self):
        return self.site.app()

    def context(self, **changed):
        context = {
            "client_id": self.app.id,
            "patient": self.site.patient.split("/")[1],
            "encounter": self.site.setting("encounter").split("/")[1],
            "intent": "reconcile-medications",
            "need_patient_banner": False,
        } | changed
        return {name: value for name, value in context.items() if value is not None}

    def ask(self, context, token=None):
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        return self.site.agent.ask("POST", self.site.endpoint("launch_endpoint"), json.dumps(context), headers)

    def handle(self, **changed):
        answer = expect_status(self.ask(self.context(**changed), self.token), 200, 201)
        launch = answer.object().get("launch")
        expect(isinstance(launch, str) and len(launch) >= 16, f"{answer.request}: launch is {launch!r}")
        return launch

    def launched(self, scope=LAUNCH, client=None, **context):
        browser = self.site.browser("professional")
        return self.site.grant(client or self.app, scope, Choices(), browser, launch=self.handle(**context))

    @fixture
    def grant(self):
        return self.launched()

    @check("handle", "A launch is handed out to who shows who they are, as a new word each time")
    def hands_out(self):
        expect(self.handle() != self.handle(), "two launches have the same word")
        expect_status(self.ask(self.context()), 401)
        expect_status(self.ask(self.context(), "nothing-that-was-issued"), 401)

    @check("patient", "The patient of the launch comes with the token, and the token is for them", 164, 168, 169, 170, 352, 361)
    def brings_the_patient(self):
        expect(self.grant.patient == self.site.patient, f"the patient is {self.grant.patient}")
        self.site.read(self.grant.patient, self.grant.token)

    @check("encounter", "So does the encounter", 171, 362)
    def brings_the_encounter(self):
        encounter = self.site.setting("encounter")
        expect(f"Encounter/{self.grant.body.get('encounter')}" == encounter, f"encounter is {self.grant.body.get('encounter')!r}")
        self.site.read(encounter, self.grant.token)

    @check("user", "An app with scopes for all that the professional may see has the same context", 149, 361, 368)
    def brings_the_same_for_users(self):
        grant = self.launched("launch openid fhirUser user/*.rs")
        expect(grant.patient == self.site.patient, f"the patient is {grant.patient}")
        expect(
            f"Encounter/{grant.body.get('encounter')}" == self.site.setting("encounter"),
            f"encounter is {grant.body.get('encounter')!r}",
        )
        self.site.read(self.site.setting("professional")["fhirUser"], grant.token)
        stranger = self.site.config.get("stranger")
        if stranger:
            expect_status(self.site.fhir("GET", stranger, grant.token), 403, 404)

    @check("v1", "So has one that asks with scopes of version 1", 361, 369)
    def brings_the_same_for_old_scopes(self):
        grant = self.launched("launch patient/Patient.read")
        expect(grant.patient == self.site.patient and "patient/Patient.read" in grant.scopes, f"granted: {grant.scopes}")
        self.site.read(grant.patient, grant.token)

    @check("refresh", "A token that comes of a refresh token has the same context", 118)
    def keeps_the_context(self):
        grant = self.launched("launch offline_access patient/Patient.rs patient/Encounter.rs")
        body = expect_status(self.site.refresh(grant.client, grant.refresh_token), 200).object()
        for member in ("patient", "encounter", "intent", "need_patient_banner"):
            expect(
                body.get(member) == grant.body.get(member),
                f"{member} is {body.get(member)!r} instead of {grant.body.get(member)!r}",
            )
        self.site.read(f"Encounter/{body['encounter']}", body["access_token"])

    @check("introspection", "Introspection tells the context of the launch as well", 277)
    def is_told(self):
        client = self.site.client("symmetric", "asymmetric")
        grant = self.launched(client=client, client_id=client.id)
        told = self.site.as_client(client, self.site.endpoint("introspection_endpoint"), {"token": grant.token}).object()
        for member in ("patient", "encounter", "intent", "need_patient_banner"):
            expect(
                told.get(member) == grant.body.get(member),
                f"{member} is {told.get(member)!r} instead of {grant.body.get(member)!r}",
            )

    @check("no-context", "Without an encounter in the launch there is none with the token")
    def brings_no_more(self):
        grant = self.launched(encounter=None, intent=None)
        expect("encounter" not in grant.body, f"encounter is {grant.body.get('encounter')!r}")
        expect("intent" not in grant.body, f"intent is {grant.body.get('intent')!r}")

    @check("banner", "It says whether a banner with the patient is needed, as a boolean", 173, 359)
    def tells_of_the_banner(self):
        for wanted in (False, True):
            grant = self.grant if wanted is False else self.launched(need_patient_banner=True)
            expect(
                grant.body.get("need_patient_banner") is wanted,
                f"need_patient_banner is {grant.body.get('need_patient_banner')!r}",
            )

    @check("intent", "The intent comes as it was given", 174, 194)
    def brings_the_intent(self):
        expect(self.grant.body.get("intent") == "reconcile-medications", f"intent is {self.grant.body.get('intent')!r}")

    @check("fhir-context", "Other resources of the launch come in fhirContext, as objects", 172, 177, 178, 188)
    def brings_fhir_context(self):
        practitioner = self.site.setting("professional").get("fhirUser", "Practitioner/1")
        given = [{"reference": practitioner, "role": "https://app.example/roles/reviewer"}]
        context = self.launched(fhirContext=given).body.get("fhirContext")
        expect(isinstance(context, list) and all(isinstance(item, dict) for item in context), f"fhirContext is {context!r}")
        expect(given[0] in context, f"fhirContext is {context!r}")
        for item in context:
            expect({"reference", "canonical", "identifier"} & set(item), f"an item of fhirContext refers to nothing: {item!r}")
            expect(not str(item.get("reference", "")).startswith(("Patient/", "Encounter/")), f"fhirContext is {context!r}")

    @check("bad-fhir-context", "What is no context is refused when the launch is made", 177, 178, 188)
    def refuses_bad_fhir_context(self):
        for item in (
            {"role": "launch"},
            {"reference": f"{self.site.patient}"},
            "Practitioner/1",
            {"reference": "Practitioner/1", "role": ""},
            {"reference": "Practitioner/1", "role": "reviewer"},
        ):
            expect_status(self.ask(self.context(fhirContext=[item]), self.token), 400, 422)

    @check("style", "The address of the style leads to JSON that any page may read", 175, 360)
    def brings_the_style(self):
        if "context-style" not in self.site.discovery["capabilities"]:
            raise Skipped("the server does not advertise the capability context-style")
        url = self.grant.body.get("smart_style_url")
        expect(isinstance(url, str) and "://" in url, f"smart_style_url is {url!r}")
        answer = expect_status(self.site.agent.ask("GET", url, headers={"Origin": "https://any.example"}), 200)
        expect(all(isinstance(value, (str, int)) for value in answer.object().values()), f"the style is {answer.excerpt()}")
        expect(answer.header("Access-Control-Allow-Origin") == "*", "another page can't read the style")

    @check("once", "A launch can be used once")
    def is_used_once(self):
        launch, browser = self.handle(), self.site.browser("professional")
        self.site.grant(self.app, LAUNCH, Choices(), browser, launch=launch)
        outcome = self.site.authorize(Request(self.site, self.app, LAUNCH, launch=launch), Choices(), browser)
        expect(outcome.code is None, "a second code came of the same launch")

    @check("unknown", "A launch that was not handed out, or none, leads to no code", 165)
    def refuses_unknown(self):
        browser = self.site.browser("professional")
        for launch in ("nothing-that-was-handed-out", "", None):
            outcome = self.site.authorize(Request(self.site, self.app, LAUNCH, launch=launch), Choices(), browser)
            expect(outcome.code is None, f"a code came of the launch {launch!r}")

    @check("other-app", "A launch for one app is not one for another")
    def is_for_one_app(self):
        other = next((self.site.clients[name] for name in ("public", "asymmetric") if name in self.site.clients), None)
        if other is None or other.id == self.app.id:
            raise Skipped("the configuration names no second app")
        request = Request(self.site, other, LAUNCH, launch=self.handle())
        outcome = self.site.authorize(request, Choices(), self.site.browser("professional"))
        expect(outcome.code is None, "a code came of another app's launch")

    @check("other-person", "A launch by one person is not one for another")
    def is_for_one_person(self):
        request = Request(self.site, self.app, LAUNCH, launch=self.handle())
        outcome = self.site.authorize(request, Choices(), self.site.browser("person"))
        expect(outcome.code is None, "a code came of another person's launch")

    @check("stranger", "Nobody launches with a patient whom they may not see, nor with an encounter of another", 119)
    def refuses_strangers(self):
        stranger = self.site.setting("stranger").split("/")[1]
        expect_status(self.ask(self.context(patient=stranger, encounter=None), self.token), 400, 403, 404)
        expect_status(self.ask(self.context(patient="no-such-patient", encounter=None), self.token), 400, 403, 404)
        expect_status(self.ask(self.context(encounter="no-such-encounter"), self.token), 400, 403, 404)


class Device(Group):
    name = "device"
    says = "A device without a browser is allowed on another one"
    members = ("device_authorization_endpoint",)
    clients = ("device",)
    settings = ("person", "patients")
    SCOPE = "launch/patient patient/Observation.rs"

    def begin(self):
        client = self.site.clients["device"]
        answer = self.site.as_client(
            client, self.site.endpoint("device_authorization_endpoint"), {"scope": client.scope or self.SCOPE}
        )
        return expect_status(answer, 200)

    def poll(self, device_code):
        return self.site.token_request(self.site.clients["device"], {"grant_type": DEVICE, "device_code": device_code})

    def interval(self, begun):
        """How long to wait between two polls, in seconds, and a little."""
        seconds = begun.get("interval", 5)
        if seconds > LONGEST_INTERVAL:
            raise Skipped(f"the server wants {seconds} s between two polls")
        return seconds + 0.5

    def decide(self, begun, allows=True):
        """The person types the code on a page and decides."""
        browser = self.site.browser()
        answer = browser.visit(begun["verification_uri"])
        page = Page(answer)
        form = page.form_with("user_code")
        expect(form, f"the page at verification_uri has no form with a field user_code: {page.told()}")
        # People type it as they like.
        answer = browser.submit(page, form, texts={"user_code": begun["user_code"].lower().replace("-", " ")})
        outcome = browser.walk(answer, Choices(record=self.site.patient, allows=allows))
        expect(any(page.form_with("decision") for page in outcome.seen), f"the code led to no decision: {outcome.told()}")

    @fixture
    def begun(self):
        return self.begin().object()

    @check("begin", "The device gets a code for itself, one for people, and where to type it")
    def begins(self):
        body = self.begun
        expect({"device_code", "user_code", "verification_uri", "expires_in"} <= set(body), f"the members are {sorted(body)}")
        expect(8 <= len(body["user_code"].replace("-", "")) <= 12, f"the code for people has {len(body['user_code'])} characters")
        expect("no-store" in self.begin().header("Cache-Control"), "the answer may be kept by a cache")
        if "verification_uri_complete" in body:
            page = Page(self.site.browser().visit(body["verification_uri_complete"]))
            expect(page.form_with("user_code") or page.form_with("decision"), f"verification_uri_complete leads to {page.told()}")

    @check("pending", "Until somebody decides it is told to wait, and to slow down when it does not")
    def waits(self):
        body = self.begin().object()
        expect_error(self.poll(body["device_code"]), (400,), "authorization_pending")
        expect_error(self.poll(body["device_code"]), (400,), "slow_down")

    @check("allowed", "When the person allows it, it gets a token, once")
    def is_allowed(self):
        body = self.begin().object()
        self.decide(body)
        token = expect_status(self.poll(body["device_code"]), 200).object()
        expect(token.get("patient") == self.site.patient.split("/")[1], f"the patient is {token.get('patient')!r}")
        expect(self.site.search(f"Observation?patient={self.site.patient}", token["access_token"]), "no Observation was found")
        time.sleep(self.interval(body))
        expect_error(self.poll(body["device_code"]), (400,), "invalid_grant", "expired_token")

    @check("declined", "When the person declines, it hears access_denied")
    def is_declined(self):
        body = self.begin().object()
        self.decide(body, allows=False)
        expect_error(self.poll(body["device_code"]), (400,), "access_denied")

    @check("slow", "A device that waits as long as it was told is not told to slow down")
    def may_poll(self):
        body = self.begin().object()
        expect_error(self.poll(body["device_code"]), (400,), "authorization_pending")
        time.sleep(self.interval(body))
        expect_error(self.poll(body["device_code"]), (400,), "authorization_pending")

    @check("wrong-code", "A code that was not handed out leads to no decision, and a device can't use another's")
    def refuses_wrong_codes(self):
        browser = self.site.browser()
        page = Page(browser.visit(self.begun["verification_uri"]))
        answer, _ = browser.follow(browser.submit(page, page.form_with("user_code"), texts={"user_code": "BBBB-BBBB"}))
        if Page(answer).form_with("decision"):
            raise Failed("a made-up code leads to a decision")
        expect_error(self.poll("nothing-that-was-handed-out"), (400,), "invalid_grant", "expired_token")
        others = [
            name
            for name in ("symmetric", "public")
            if name in self.site.clients and self.site.clients[name].id != self.site.clients["device"].id
        ]
        if others:
            form = {"grant_type": DEVICE, "device_code": self.begin().object()["device_code"]}
            expect_error(
                self.site.token_request(self.site.clients[others[0]], form), (400, 401), "invalid_grant", "unauthorized_client"
            )
