"""Web pages of apps, the brand bundle, and what apps keep on the server.

Spec: SMART App Launch 2.2 app-launch.html#considerations-for-cross-origin-resource-sharing-cors-support, brands.html, app-state.html
"""

import secrets

from ..agent import origin_of, with_query
from ..checks import Group, Skipped, check, expect, expect_status, fixture
from ..flow import Choices
from ..site import key_of

ANY = "https://any.example"


class Cors(Group):
    name = "cors"
    says = "Pages of other origins may ask what they need"

    @property
    def app_origin(self):
        return origin_of(self.site.client("public", "symmetric", "asymmetric").redirect_uri)

    def allowed(self, answer, origin):
        told = answer.header("Access-Control-Allow-Origin")
        expect(told in ("*", origin), f"{answer.request}: Access-Control-Allow-Origin is {told!r} for {origin}")
        if told == "*":
            credentials = answer.header("Access-Control-Allow-Credentials")
            expect(not credentials, f"{answer.request}: any origin, with credentials")

    def preflight(self, url, origin, method, headers):
        asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
        answer = self.site.agent.ask("OPTIONS", url, headers=asked)
        return answer

    def let(self, url, origin, method, headers):
        answer = expect_status(self.preflight(url, origin, method, headers), 200, 204)
        self.allowed(answer, origin)
        methods = answer.header("Access-Control-Allow-Methods").upper()
        expect(method in methods or "*" in methods, f"{answer.request}: Access-Control-Allow-Methods is {methods!r}")
        told = {name.strip().lower() for name in answer.header("Access-Control-Allow-Headers").split(",")}
        missing = {name.strip().lower() for name in headers.split(",")} - told
        expect(not missing, f"{answer.request}: Access-Control-Allow-Headers lacks {', '.join(sorted(missing))}")

    @check("discovery", "The discovery document and the public keys may be read by any page", 16)
    def opens_discovery(self):
        urls = [f"{self.site.base}/.well-known/smart-configuration"]
        urls += [self.site.discovery[member] for member in ("jwks_uri",) if member in self.site.discovery]
        for url in urls:
            self.allowed(expect_status(self.site.agent.ask("GET", url, headers={"Origin": ANY}), 200), ANY)

    @check("statement", "So may the CapabilityStatement", 16)
    def opens_the_statement(self):
        answer = self.site.fhir("GET", "metadata", headers={"Origin": ANY})
        self.allowed(expect_status(answer, 200), ANY)

    @check("token", "The token endpoint may be asked by pages of registered apps", 17)
    def opens_the_token_endpoint(self):
        url = self.site.endpoint("token_endpoint")
        self.let(url, self.app_origin, "POST", "Authorization, Content-Type")
        form = {"grant_type": "authorization_code", "code": "none"}
        self.allowed(self.site.agent.ask("POST", url, form, {"Origin": self.app_origin}), self.app_origin)

    @check("fhir", "So may what is below the FHIR base, errors included", 17)
    def opens_fhir(self):
        url = f"{self.site.base}/Patient"
        self.let(url, self.app_origin, "GET", "Authorization")
        self.let(url, self.app_origin, "PUT", "Authorization, Content-Type, If-Match")
        answer = self.site.fhir("GET", "Patient", headers={"Origin": self.app_origin})
        self.allowed(expect_status(answer, 401), self.app_origin)
        exposed = answer.header("Access-Control-Expose-Headers").lower()
        for name in ("etag", "location", "www-authenticate"):
            expect(name in exposed or exposed == "*", f"Access-Control-Expose-Headers is {exposed!r}")

    @check("strangers", "Pages of other origins may not read with cookies, and not at all where nobody is registered")
    def shuts_out_strangers(self):
        for origin in (ANY, self.app_origin + ".evil.example", "null"):
            answer = self.site.fhir("GET", "Patient", headers={"Origin": origin})
            told = answer.header("Access-Control-Allow-Origin")
            expect(told != origin, f"{answer.request}: {origin} may read")
            expect(not answer.header("Access-Control-Allow-Credentials"), f"{answer.request}: with credentials")

    @check("pages", "The pages for people may be read by no other origin")
    def shuts_pages(self):
        if "authorization_endpoint" not in self.site.discovery:
            raise Skipped("the discovery document has no authorization_endpoint")
        for origin in (ANY, self.app_origin):
            answer = self.site.agent.ask(
                "GET", self.site.endpoint("authorization_endpoint"), headers={"Origin": origin, "Accept": "text/html"}
            )
            expect(not answer.header("Access-Control-Allow-Origin"), f"{origin} may read the page")


class Brands(Group):
    name = "brands"
    says = "A bundle tells apps what the server looks like to people"
    members = ("user_access_brand_bundle",)

    @fixture
    def answer(self):
        url = self.site.endpoint("user_access_brand_bundle")
        return expect_status(self.site.agent.ask("GET", url, headers={"Origin": ANY, "Accept": "application/fhir+json"}), 200)

    @fixture
    def bundle(self):
        return self.answer.object()

    def of_type(self, kind):
        return [entry["resource"] for entry in self.bundle.get("entry", []) if entry["resource"]["resourceType"] == kind]

    @check("bundle", "It is a collection, anybody may read it, and it says when it was changed last", 387, 398, 418)
    def is_a_bundle(self):
        expect(
            self.bundle.get("resourceType") == "Bundle" and self.bundle.get("type") == "collection",
            f"it is {self.answer.excerpt()}",
        )
        expect(self.bundle.get("timestamp"), "it has no timestamp")

    @check("cors", "Any page may read it", 400, 423)
    def is_open(self):
        expect(
            self.answer.header("Access-Control-Allow-Origin") == "*",
            f"Access-Control-Allow-Origin is {self.answer.header('Access-Control-Allow-Origin')!r}",
        )

    @check("etag", "It has a weak ETag and need not be sent twice", 401, 424)
    def has_an_etag(self):
        etag = self.answer.header("ETag")
        expect(etag.startswith('W/"'), f"ETag is {etag!r}")
        again = self.site.agent.ask("GET", self.site.endpoint("user_access_brand_bundle"), headers={"If-None-Match": etag})
        expect_status(again, 304)

    @check("primary", "Exactly one brand has the identifier of the discovery document", 388, 409, 410, 412, 428, 430, 431, 432)
    def has_one_primary_brand(self):
        identifier = self.site.discovery.get("user_access_brand_identifier")
        brands = self.of_type("Organization")
        expect(brands, "there is no brand")
        if identifier is None:
            expect(len(brands) == 1, "there are several brands, and the discovery document names none")
            return
        expect(identifier.get("value") and identifier.get("system"), f"the identifier has no value or no system: {identifier}")

        def has_it(brand):
            return any(
                known.get("value") == identifier["value"] and known.get("system") == identifier.get("system", known.get("system"))
                for known in brand.get("identifier", [])
            )

        fitting = [brand for brand in brands if has_it(brand)]
        expect(len(fitting) == 1, f"{len(fitting)} brands have the identifier {identifier}")

    @check("endpoints", "A brand refers to every endpoint, this FHIR base among them", 396, 417)
    def refers_to_endpoints(self):
        endpoints = self.of_type("Endpoint")
        addresses = [endpoint.get("address", "").rstrip("/") for endpoint in endpoints]
        expect(self.site.base in addresses, f"the addresses are {addresses}")
        referred = {reference["reference"] for brand in self.of_type("Organization") for reference in brand.get("endpoint", [])}
        for entry in self.bundle["entry"]:
            if entry["resource"]["resourceType"] == "Endpoint":
                names = {entry.get("fullUrl"), key_of(entry["resource"]) if "id" in entry["resource"] else None}
                expect(names & referred, f"no brand refers to {entry.get('fullUrl')}")

    @check("profile", "Brands and endpoints have what their profiles ask for")
    def follows_profiles(self):
        for brand in self.of_type("Organization"):
            expect(brand.get("name"), "a brand has no name")
        for endpoint in self.of_type("Endpoint"):
            kind = endpoint.get("connectionType", {}).get("code")
            expect(kind == "hl7-fhir-rest", f"connectionType is {kind!r}")
            expect(
                endpoint.get("status") and endpoint.get("contact") and endpoint.get("name"),
                "an endpoint has no status, name or contact",
            )
            versions = [entry for entry in endpoint.get("extension", []) if entry["url"].endswith("/endpoint-fhir-version")]
            expect(any(entry.get("valueCode") == "4.0.1" for entry in versions), "an endpoint does not say its version of FHIR")

    @check("absent", "What is absent is absent because it was not given", 405)
    def says_why_absent(self):
        for reason in absent_reasons(self.bundle):
            expect(reason in ("asked-declined", "asked-unknown"), f"a data-absent-reason is {reason!r}")


def absent_reasons(value):
    if isinstance(value, dict):
        if value.get("url", "") == "http://hl7.org/fhir/StructureDefinition/data-absent-reason":
            yield value.get("valueCode")
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from absent_reasons(item)


class AppState(Group):
    name = "app-state"
    says = "An app keeps a little on the server"
    settings = ("person", "patients")

    @property
    def base(self):
        document = self.site.discovery
        if "smart-app-state" in document.get("capabilities", []):
            return self.site.base
        others = [
            entry["url"] for entry in document.get("associated_endpoints", []) if "smart-app-state" in entry["capabilities"]
        ]
        return others[0] if others else None

    def lacks(self):
        return super().lacks() or (None if self.base else "the server does not advertise the capability smart-app-state")

    @property
    def system(self):
        # An app may use the codes of its own origin.
        return origin_of(self.site.app().redirect_uri)

    @fixture
    def code(self):
        return f"settings-{secrets.token_hex(4)}"

    @fixture
    def grant(self):
        scopes = [f"patient/Basic.cuds?code={self.system}|{code}" for code in (self.code, self.other_code)]
        return self.site.grant(self.site.app(), " ".join(["launch/patient", *scopes]))

    @property
    def other_code(self):
        return f"{self.code}-other"

    def state(self, value="a", **changed):
        return {
            "resourceType": "Basic",
            "code": {"coding": [{"system": self.system, "code": self.code}]},
            "subject": {"reference": f"{self.site.base}/{self.site.patient}"},
            "extension": [{"url": f"{self.system}/settings", "valueString": value}],
        } | changed

    def ask(self, method, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.site.fhir(method, f"{self.base}/{path}", self.grant.token, body, headers)

    def kept(self, value="a"):
        return expect_status(self.ask("POST", "Basic", self.state(value)), 201)

    def found(self, query):
        path = with_query(f"{self.base}/Basic", query)
        return [resource["id"] for resource in self.site.search(path, self.grant.token)]

    def drop(self, answer):
        body = answer.object()
        expect_status(self.ask("DELETE", f"Basic/{body['id']}", If_Match=answer.header("ETag")), 200, 204)

    @check("create", "What it keeps gets an id and a version, and comes back whole", 371)
    def is_created(self):
        answer = self.kept()
        body = answer.object()
        expect(body.get("id") and body.get("meta", {}).get("versionId"), f"the members are {sorted(body)}")
        expect(answer.header("ETag"), "there is no ETag")
        wanted = self.state()
        for member in ("code", "subject", "extension"):
            expect(body.get(member) == wanted[member], f"{member} is {body.get(member)!r}")
        self.drop(answer)

    @check("search", "It finds it by its code and whom it is about, and under no other code", 371)
    def is_found(self):
        answer = self.kept()
        key = answer.object()["id"]
        subject = f"{self.site.base}/{self.site.patient}"
        found = self.found({"code": f"{self.system}|{self.code}", "subject": subject})
        expect(found == [key], f"found: {found} instead of {key}")
        expect(
            key not in self.found({"code": f"{self.system}|{self.code}", "subject:missing": "true"}),
            "it is found where nobody is the subject",
        )
        expect(
            key not in self.found({"code": f"{self.system}|{self.other_code}", "subject": subject}),
            "it is found under another code",
        )
        self.drop(answer)

    @check("update", "It changes it by saying which version it has seen", 371)
    def is_updated(self):
        answer = self.kept()
        body = answer.object()
        path, changed = f"Basic/{body['id']}", body | {"extension": self.state("b")["extension"]}
        bare = self.ask("PUT", path, changed)
        expect(400 <= bare.status < 500, f"without If-Match: {bare.status}")
        updated = expect_status(self.ask("PUT", path, changed, If_Match=answer.header("ETag")), 200)
        expect(updated.object()["extension"][0]["valueString"] == "b", "the value is the old one")
        expect_status(self.ask("PUT", path, changed, If_Match=answer.header("ETag")), 412)
        self.drop(updated)

    @check("fixed", "Code and subject stay what they were", 371)
    def stays_itself(self):
        answer = self.kept()
        body = answer.object()
        path, held = f"Basic/{body['id']}", answer.header("ETag")
        other = {"coding": [{"system": self.system, "code": self.other_code}]}
        expect_status(self.ask("PUT", path, body | {"code": other}, If_Match=held), 412)
        without = {name: value for name, value in body.items() if name != "subject"}
        expect_status(self.ask("PUT", path, without, If_Match=held), 412, 403)
        for patient in self.site.setting("patients")[1:]:
            changed = body | {"subject": {"reference": f"{self.site.base}/{patient}"}}
            expect_status(self.ask("PUT", path, changed, If_Match=held), 412, 403)
        self.drop(answer)

    @check("delete", "It removes it by saying which version it has seen, once", 371)
    def is_deleted(self):
        answer = self.kept()
        path = f"Basic/{answer.object()['id']}"
        bare = self.ask("DELETE", path)
        expect(400 <= bare.status < 500, f"without If-Match: {bare.status}")
        expect_status(self.ask("DELETE", path, If_Match='W/"99"'), 412)
        expect_status(self.ask("DELETE", path, If_Match=answer.header("ETag")), 200, 204)
        expect_status(self.ask("PUT", path, self.state() | {"id": path.split("/")[1]}, If_Match=answer.header("ETag")), 412)

    @check("size", "256 KB are kept, and what is more may be refused", 371)
    def is_bounded(self):
        answer = self.kept(value="a" * (250 * 1024))
        expect(len(answer.object()["extension"][0]["valueString"]) == 250 * 1024, "the value was cut")
        self.drop(answer)
        large = self.ask("POST", "Basic", self.state("a" * (4 << 20)))
        expect(large.status in (201, 400, 413, 422), f"4 MiB: {large.status}")

    @check("one-code", "It has exactly one code", 371)
    def has_one_code(self):
        second = {"coding": [{"system": self.system, "code": self.code}, {"system": self.system, "code": "other"}]}
        for code in (second, {"text": "a"}):
            answer = self.ask("POST", "Basic", self.state(code=code))
            expect(400 <= answer.status < 500, f"with the code {code}: {answer.status}")

    @check("others", "Without the scope for its code another app sees nothing of it", 371)
    def is_private(self):
        answer = self.kept()
        body = answer.object()
        other = self.site.grant(self.site.app(), "launch/patient patient/Patient.rs")
        expect_status(self.site.fhir("GET", f"{self.base}/Basic/{body['id']}", other.token), 403, 404)
        expect_status(self.site.fhir("GET", f"{self.base}/Basic?code={self.system}|{self.code}", other.token), 403)
        self.drop(answer)

    @check("person", "It keeps what is about the person who uses it, too", 371)
    def is_about_a_person(self):
        person = self.site.setting("professional").get("fhirUser")
        if person is None:
            raise Skipped("the configuration names no fhirUser of the professional")
        grant = self.site.grant(
            self.site.app(),
            f"openid fhirUser user/Basic.cuds?code={self.system}|{self.code}",
            Choices(),
            self.site.browser("professional"),
        )
        subject = f"{self.site.base}/{person}"
        made = self.site.fhir("POST", f"{self.base}/Basic", grant.token, self.state(subject={"reference": subject}))
        body = expect_status(made, 201).object()
        path = with_query(f"{self.base}/Basic", {"code": f"{self.system}|{self.code}", "subject": subject})
        expect([resource["id"] for resource in self.site.search(path, grant.token)] == [body["id"]], "it is not found")
        gone = self.site.fhir("DELETE", f"{self.base}/Basic/{body['id']}", grant.token, headers={"If-Match": made.header("ETag")})
        expect_status(gone, 200, 204)
