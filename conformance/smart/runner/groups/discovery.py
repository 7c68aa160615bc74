"""What apps read before anything else."""

from ..checks import Group, Skipped, check, expect, expect_status

CAPABILITIES = {
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-style",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "context-standalone-encounter",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
    "smart-app-state",
}
# What a set asks for; of the entries that are tuples, one.
CLIENTS = ("client-public", "client-confidential-symmetric")
SETS = {
    "Patient Access for Standalone Apps": ["launch-standalone", CLIENTS, "context-standalone-patient", "permission-patient"],
    "Patient Access for EHR Launch": ["launch-ehr", CLIENTS, "context-ehr-patient", "permission-patient"],
    "Clinician Access for Standalone": ["launch-standalone", CLIENTS, "permission-user", "permission-patient"],
    "Clinician Access for EHR Launch": [
        "launch-ehr",
        CLIENTS,
        "context-ehr-patient",
        "context-ehr-encounter",
        "permission-user",
        "permission-patient",
    ],
}
OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
SERVICES = "http://terminology.hl7.org/CodeSystem/restful-security-service"
# Which member of the discovery document an address in the CapabilityStatement is.
OF_OAUTH_URIS = {
    "authorize": "authorization_endpoint",
    "token": "token_endpoint",
    "register": "registration_endpoint",
    "manage": "management_endpoint",
    "introspect": "introspection_endpoint",
    "revoke": "revocation_endpoint",
}
PRIVATE_PARTS = {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}


class Discovery(Group):
    name = "discovery"
    says = "The discovery documents, the CapabilityStatement and the public keys"

    def lacks(self):
        return None

    def ask(self, accept="application/json"):
        headers = {"Accept": accept} if accept else {}
        return self.site.agent.ask("GET", f"{self.site.base}/.well-known/smart-configuration", headers=headers)

    @check("json", "The document is JSON, whatever Accept says", 30, 372, 373, 374, 377, 380)
    def is_json(self):
        for accept in ("application/json", "application/fhir+xml", "text/html", "image/png", None):
            answer = expect_status(self.ask(accept), 200)
            kind = answer.media_type
            expect(kind == "application/json", f"with Accept {accept} the media type is {kind}")
            answer.object()

    @check("endpoints", "The members that its capabilities call for are there", 381, 382, 383, 384, 385, 393)
    def has_endpoints(self):
        document = self.site.discovery
        needed = {"capabilities", "grant_types_supported", "token_endpoint", "code_challenge_methods_supported"}
        capabilities = document.get("capabilities", [])
        if "sso-openid-connect" in capabilities:
            needed |= {"issuer", "jwks_uri"}
        if {"launch-ehr", "launch-standalone"} & set(capabilities):
            needed.add("authorization_endpoint")
            grant_types = document.get("grant_types_supported", [])
            expect("authorization_code" in grant_types, f"apps can be launched, and the grant types are {grant_types}")
        missing = sorted(needed - set(document))
        expect(not missing, f"missing: {', '.join(missing)}")

    @check("absolute", "All addresses are absolute", 378)
    def is_absolute(self):
        named = {
            name: value
            for name, value in self.site.discovery.items()
            if name.endswith(("_endpoint", "_uri", "_bundle", "issuer"))
        }
        relative = [name for name, value in named.items() if not str(value).startswith(("https://", "http://"))]
        expect(not relative, f"relative: {', '.join(relative)}")

    @check("challenges", "S256 is offered for code challenges, plain is not", 14, 15, 394)
    def offers_s256(self):
        methods = self.site.discovery.get("code_challenge_methods_supported", [])
        expect("S256" in methods and "plain" not in methods, f"the methods are {methods}")

    @check("capabilities", "The capabilities are words that the specification has, each once", 393)
    def names_capabilities(self):
        capabilities = self.site.discovery.get("capabilities", [])
        # Other words are allowed if they are addresses.
        unknown = [word for word in capabilities if word not in CAPABILITIES and ":" not in word]
        expect(not unknown, f"not of SMART App Launch 2.2: {unknown}")
        expect(len(capabilities) == len(set(capabilities)), "a capability is there twice")

    @check("sets", "At least one of the sets of capabilities is complete", 346, 348, 349, 350, 351)
    def completes_a_set(self):
        capabilities = set(self.site.discovery.get("capabilities", []))

        def holds(entry):
            return bool(capabilities & set(entry)) if isinstance(entry, tuple) else entry in capabilities

        lacking = {name: [entry for entry in entries if not holds(entry)] for name, entries in SETS.items()}
        expect(any(not entries for entries in lacking.values()), f"what the sets lack: {lacking}")

    @check("asymmetric", "Who signs assertions finds what is needed for it", 228, 285, 286, 287, 288, 289)
    def tells_of_assertions(self):
        document = self.site.discovery
        if "client-confidential-asymmetric" not in document.get("capabilities", []):
            raise Skipped("the server does not advertise the capability client-confidential-asymmetric")
        expect(
            "token_endpoint" in document and document.get("scopes_supported"), "token_endpoint and scopes_supported are needed"
        )
        methods = document.get("token_endpoint_auth_methods_supported", [])
        expect("private_key_jwt" in methods, f"the methods are {methods}")
        algorithms = document.get("token_endpoint_auth_signing_alg_values_supported", [])
        expect({"RS384", "ES384"} & set(algorithms), f"the algorithms are {algorithms}")
        expect(
            "none" not in algorithms and not [name for name in algorithms if name.startswith("HS")],
            f"the algorithms are {algorithms}",
        )

    @check("openid", "The documents of OpenID Connect and of RFC 8414 say the same")
    def agrees_with_others(self):
        document, seen = self.site.discovery, 0
        for name in ("openid-configuration", "oauth-authorization-server"):
            answer = self.site.agent.ask("GET", f"{self.site.issuer}/.well-known/{name}")
            if answer.status == 404 and name == "oauth-authorization-server":
                continue
            other = expect_status(answer, 200).object()
            seen += 1
            differing = [member for member in other if member in document and other[member] != document[member]]
            expect(not differing, f"{name} differs in {', '.join(differing)}")
            if name == "openid-configuration" and "sso-openid-connect" in document.get("capabilities", []):
                needed = {
                    "issuer",
                    "authorization_endpoint",
                    "token_endpoint",
                    "jwks_uri",
                    "response_types_supported",
                    "subject_types_supported",
                    "id_token_signing_alg_values_supported",
                }
                missing = sorted(needed - set(other))
                expect(not missing, f"{name} lacks {', '.join(missing)}")
                algorithms = other["id_token_signing_alg_values_supported"]
                expect("RS256" in algorithms, f"id tokens are signed by {algorithms}")
        expect(seen, "there is neither of them")

    @check("statement", "The CapabilityStatement names SMART on FHIR and the same endpoints")
    def agrees_with_statement(self):
        rest = expect_status(self.site.fhir("GET", "metadata"), 200).object()["rest"][0]
        security = rest.get("security", {})
        codings = [coding for service in security.get("service", []) for coding in service.get("coding", [])]
        is_named = any(coding.get("system") == SERVICES and coding.get("code") == "SMART-on-FHIR" for coding in codings)
        expect(is_named, f"rest.security.service is {security.get('service')}")
        extension = next((entry for entry in security.get("extension", []) if entry["url"] == OAUTH_URIS), None)
        expect(extension, "rest.security has no extension oauth-uris")
        told = {entry["url"]: entry["valueUri"] for entry in extension["extension"]}
        for name, member in OF_OAUTH_URIS.items():
            if name in told or name in ("authorize", "token"):
                there = self.site.discovery.get(member)
                expect(
                    told.get(name) == there,
                    f"{name} is {told.get(name)} in the CapabilityStatement, and {there} in the discovery document",
                )

    @check("keys", "The public keys are bare RSA keys with a kid each and without private parts", 207)
    def publishes_keys(self):
        if "jwks_uri" not in self.site.discovery:
            raise Skipped("the discovery document has no jwks_uri")
        keys = self.site.jwks.get("keys", [])
        rsa = [key for key in keys if key.get("kty") == "RSA" and key.get("n") and key.get("e")]
        expect(rsa, "there is no RSA key")
        kids = [key.get("kid") for key in keys]
        expect(all(kids) and len(kids) == len(set(kids)), f"the kids are {kids}")
        for key in keys:
            expect(not PRIVATE_PARTS & set(key), f"the key {key.get('kid')} has a private part")

    @check("transport", "Endpoints are reached by TLS, unless the server is on this machine", 231)
    def uses_tls(self):
        endpoints = [value for name, value in self.site.discovery.items() if name.endswith("_endpoint")]
        local = ("http://127.0.0.1", "http://localhost", "http://[::1]")
        if self.site.base.startswith(local):
            plain = [value for value in endpoints if not value.startswith(local + ("https://",))]
            expect(not plain, f"without TLS: {plain}")
            return
        plain = [value for value in endpoints + [self.site.base] if not value.startswith("https://")]
        expect(not plain, f"without TLS: {plain}")
