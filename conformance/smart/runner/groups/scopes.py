"""What scopes let apps see: old ones, those of people, and those that are narrowed by a search.

Spec: SMART App Launch 2.2 scopes-and-launch-context.html
"""

from ..checks import Group, Skipped, check, expect, expect_status, fixture
from ..flow import Choices
from ..site import has_code, key_of

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
HEALTH_CONCERN = "http://hl7.org/fhir/us/core/CodeSystem/condition-category"


class VersionOne(Group):
    name = "v1-scopes"
    says = "Scopes as SMART App Launch 1.0 has them"
    capabilities = ("permission-v1", "launch-standalone")
    settings = ("person", "patients")
    ASKED = "launch/patient patient/Patient.read patient/Observation.read"

    @fixture
    def grant(self):
        return self.site.grant(self.site.app(), self.ASKED)

    @check("echo", "They come back in the form in which they were asked for", 126, 127, 369)
    def come_back(self):
        granted = {scope for scope in self.grant.scopes if scope.startswith("patient/")}
        expect(granted == {"patient/Patient.read", "patient/Observation.read"}, f"granted: {sorted(granted)}")

    @check("read", "read is reading and searching, and no writing", 128)
    def read_and_search(self):
        self.site.read(self.site.patient, self.grant.token)
        expect(self.site.search(f"Observation?patient={self.site.patient}", self.grant.token), "no Observation was found")
        expect_status(self.site.fhir("GET", f"Condition?patient={self.site.patient}", self.grant.token), 403)
        expect_status(self.site.fhir("POST", "Observation", self.grant.token, self.observation()), 403)

    @check("write", "write is creating, updating and deleting, and no reading", 128)
    def write_alone(self):
        grant = self.site.grant(self.site.app(), "launch/patient patient/Observation.write")
        made = expect_status(self.site.fhir("POST", "Observation", grant.token, self.observation()), 201)
        where = made.header("Location").split("/_history")[0].removeprefix(self.site.base + "/")
        expect_status(self.site.fhir("GET", where, grant.token), 403)
        expect_status(self.site.fhir("GET", f"Observation?patient={self.site.patient}", grant.token), 403)
        changed = self.observation() | {"id": where.split("/")[1], "note": [{"text": "changed"}]}
        expect_status(self.site.fhir("PUT", where, grant.token, changed), 200)
        expect_status(self.site.fhir("DELETE", where, grant.token), 200, 204)

    @check("all", "* is both", 128)
    def do_all(self):
        grant = self.site.grant(self.site.app(), "launch/patient patient/Observation.*")
        expect("patient/Observation.*" in grant.scopes, f"granted: {grant.scopes}")
        made = expect_status(self.site.fhir("POST", "Observation", grant.token, self.observation()), 201)
        where = made.header("Location").split("/_history")[0].removeprefix(self.site.base + "/")
        self.site.read(where, grant.token)
        expect_status(self.site.fhir("DELETE", where, grant.token), 200, 204)

    @check("unknown", "Words out of order or unknown give nothing more than what else was asked for", 129)
    def drop_unknown(self):
        scope = "launch/patient patient/Observation.rs patient/Condition.sr patient/Nothing.rs patient/Encounter.readwrite"
        granted = {scope for scope in self.site.grant(self.site.app(), scope).scopes if scope.startswith("patient/")}
        expect(granted == {"patient/Observation.rs"}, f"granted: {sorted(granted)}")

    def observation(self):
        text = "written by a conformance run"
        return {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": text},
            "subject": {"reference": self.site.patient},
        }


class Users(Group):
    name = "user-scopes"
    says = "Scopes for all that a person may see"
    capabilities = ("permission-user", "launch-standalone")
    settings = ("person", "patients")

    @fixture
    def grant(self):
        return self.site.grant(self.site.app(), "openid fhirUser user/Patient.rs user/Observation.rs", Choices())

    @check("reach", "They reach all Patients that the person may act for, and no others", 119, 140, 368)
    def reach(self):
        found = {key_of(patient) for patient in self.site.search("Patient", self.grant.token)}
        missing = set(self.site.setting("patients")) - found
        expect(not missing, f"not found: {sorted(missing)}")
        stranger = self.site.setting("stranger")
        expect(stranger not in found, "the Patient of a stranger was found")
        expect_status(self.site.fhir("GET", stranger, self.grant.token), 403, 404)

    @check("types", "They are for the types that they name", 95)
    def are_for_types(self):
        expect_status(self.site.fhir("GET", f"Condition?patient={self.site.patient}", self.grant.token), 403)

    @check("no-patient", "No patient is asked for or told, as none was asked for")
    def have_no_patient(self):
        expect("patient" not in self.grant.body, f"patient is {self.grant.body.get('patient')!r}")

    @check("system", "An app of a person gets no scope of a system", 142)
    def have_no_system(self):
        grant = self.site.grant(self.site.app(), "user/Patient.rs system/Patient.rs", Choices())
        expect(not [scope for scope in grant.scopes if scope.startswith("system/")], f"granted: {grant.scopes}")


class Granular(Group):
    """Each search by a token with narrowed scopes is compared with the same search by a token for whole types."""

    capabilities = ("permission-v2", "launch-standalone")
    settings = ("person", "patients")
    # By type: the codes, of which one must be among the categories.
    KEPT = {}

    @fixture
    def scopes(self):
        return [
            f"patient/{kind}.rs?category={system}|{code}" for kind, categories in self.KEPT.items() for system, code in categories
        ]

    @fixture
    def whole(self):
        return self.site.grant(self.site.app(), "launch/patient patient/*.rs")

    @fixture
    def narrow(self):
        return self.site.grant(self.site.app(), " ".join(["launch/patient", "patient/Patient.rs", *self.scopes]))

    def is_kept(self, resource):
        categories = self.KEPT.get(resource["resourceType"], [])
        return any(has_code(resource.get("category", []), system, code) for system, code in categories)

    def granted(self):
        granted = [scope for scope in self.narrow.scopes if "?" in scope]
        expect(set(granted) == set(self.scopes), f"granted: {granted}")

    def equal(self):
        """Searches by patient, by code and in another order find what the whole finds and the scope keeps."""
        for kind in self.KEPT:
            queries = [f"patient={self.site.patient}", f"patient={self.site.patient}&_sort=-_lastUpdated&_count=3", "_count=2"]
            all_of_them = self.site.search(f"{kind}?{queries[0]}", self.whole.token)
            codes = {coding["code"] for resource in all_of_them for coding in resource.get("code", {}).get("coding", [])}
            queries += [f"patient={self.site.patient}&code={code}" for code in sorted(codes)[:8]]
            queries += [f"patient={self.site.patient}&category={code}" for _, code in self.KEPT[kind]]
            queries.append(f"patient={self.site.patient}&category:not=nothing")
            for query in queries:
                wanted = {
                    key_of(resource)
                    for resource in self.site.search(f"{kind}?{query}", self.whole.token)
                    if self.is_kept(resource)
                }
                found = {key_of(resource) for resource in self.site.search(f"{kind}?{query}", self.narrow.token)}
                expect(found == wanted, f"{kind}?{query} finds {len(found)} resources instead of {len(wanted)}")
            kept = [resource for resource in all_of_them if self.is_kept(resource)]
            if not kept or len(kept) == len(all_of_them):
                raise Skipped(
                    f"of {len(all_of_them)} resources of {kind} {len(kept)} are within the scope: there is nothing to tell apart"
                )

    def reads(self):
        for kind in self.KEPT:
            for resource in self.site.search(f"{kind}?patient={self.site.patient}", self.whole.token)[:20]:
                allowed = (200,) if self.is_kept(resource) else (403, 404)
                expect_status(self.site.fhir("GET", key_of(resource), self.narrow.token), *allowed)

    def included(self):
        for kind in self.KEPT:
            path = f"Patient?_id={self.site.patient.split('/')[1]}&_revinclude={kind}:patient"
            found = {
                key_of(resource) for resource in self.site.search(path, self.narrow.token) if resource["resourceType"] == kind
            }
            whole = self.site.search(path, self.whole.token)
            wanted = {key_of(resource) for resource in whole if resource["resourceType"] == kind and self.is_kept(resource)}
            expect(found == wanted, f"_revinclude={kind}:patient brings {len(found)} resources instead of {len(wanted)}")

    def others(self):
        expect_status(self.site.fhir("GET", f"Encounter?patient={self.site.patient}", self.narrow.token), 403)


class GranularOne(Granular):
    name = "granular-1"
    says = "Laboratory results and diagnoses of encounters alone"
    KEPT = {"Observation": [(CATEGORY, "laboratory")], "Condition": [(CONDITION_CATEGORY, "encounter-diagnosis")]}

    @check("scope", "The scopes come back with their searches", 370)
    def scope_comes_back(self):
        self.granted()

    @check("search", "A search finds what the whole type's finds, filtered by the scope", 95, 370)
    def searches_are_equal(self):
        self.equal()

    @check("read", "What is outside of the scope can't be read by its id either", 95, 370)
    def reads_are_equal(self):
        self.reads()

    @check("include", "Nor does it come in by an include", 95, 370)
    def includes_are_equal(self):
        self.included()

    @check("types", "Other types are not granted", 95)
    def other_types_are_not(self):
        self.others()


class GranularTwo(Granular):
    name = "granular-2"
    says = "Several categories of each type, which add up"
    KEPT = {
        "Observation": [(CATEGORY, "vital-signs"), (CATEGORY, "social-history")],
        "Condition": [(HEALTH_CONCERN, "health-concern"), (CONDITION_CATEGORY, "problem-list-item")],
    }

    @check("scope", "The scopes come back with their searches", 370)
    def scope_comes_back(self):
        self.granted()

    @check("search", "A search finds what any of the scopes keeps", 95, 370)
    def searches_are_equal(self):
        self.equal()

    @check("read", "What is outside of all of them can't be read by its id either", 95, 370)
    def reads_are_equal(self):
        self.reads()

    @check("include", "Nor does it come in by an include", 95, 370)
    def includes_are_equal(self):
        self.included()

    @check("types", "Other types are not granted", 95)
    def other_types_are_not(self):
        self.others()
