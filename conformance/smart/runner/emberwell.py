"""Emberwell itself: started on an empty database, filled by its own commands, stopped."""

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys

from .checks import expect, expect_status
from .jose import Key
from .resources import family, practitioner
from .site import Site, key_of

POSTGRES = "EMBERWELL_TEST_POSTGRES"
# Apps may register themselves, any number of them; all else is as it comes.
SETTINGS = """registration = "open"

[rates]
registrations = 0
"""
SECONDS_TO_STOP = 40
APP = "https://app.example"
# What apps of people may ask for.
APP_SCOPE = "launch launch/patient launch/encounter openid fhirUser offline_access online_access patient/*.cruds user/*.cruds"
BACKEND_SCOPE = "system/Patient.rs system/Observation.rs system/Encounter.rs"
DEVICE_SCOPE = "launch/patient offline_access patient/Observation.crus"
PASSWORD = "a harbour of quiet lanterns, 47"


@contextlib.contextmanager
def sqlite(folder):
    yield f"sqlite:{folder}/emberwell.db"


@contextlib.contextmanager
def postgres(folder):
    """A database of its own on the server that the variable names."""
    admin, name = os.environ[POSTGRES], f"emberwell_smart_{os.getpid()}"

    def psql(statement):
        subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement, admin], check=True)

    psql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    try:
        yield f"{admin.rpartition('/')[0]}/{name}"
    finally:
        psql(f"DROP DATABASE {name} WITH (FORCE)")


def databases():
    """Those that can be used here, by name."""
    yield "SQLite", sqlite
    if os.environ.get(POSTGRES):
        yield "PostgreSQL", postgres
    else:
        print(f"here: no PostgreSQL: {POSTGRES} is not set", file=sys.stderr)


class Program:
    """One run of the program."""

    def __init__(self, binary, folder, database):
        self.binary, self.folder = binary, folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}/fhir"
        self.environment = os.environ | {
            "EMBERWELL_LISTEN": f"127.0.0.1:{port}",
            "EMBERWELL_DATA": str(folder / "data"),
            "EMBERWELL_DATABASE": database,
            "EMBERWELL_BASE_URL": self.base,
        }
        # In the folder in which the commands are run, so that no other file of this name is read.
        (folder / "emberwell.toml").write_text(SETTINGS)
        self.stopped_in_order = False

    def __enter__(self):
        self.log = open(self.folder / "log", "w")
        command = [self.binary, "serve"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.log, text=True, env=self.environment, cwd=self.folder
        )
        line = self.process.stdout.readline()
        if not re.match(r"listening on http://", line):
            self.process.wait()
            raise SystemExit(f"here: the program did not start:\n{(self.folder / 'log').read_text()[-2000:]}")
        return self

    def __exit__(self, *problem):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = "none within 40 s"
        self.log.close()
        panics = [line for line in (self.folder / "log").read_text().splitlines() if "panic" in line]
        self.stopped_in_order = code == 0 and not panics
        if not self.stopped_in_order:
            print(f"here: the program ended with the exit code {code}; panics in its log: {panics[:5]}", file=sys.stderr)

    def command(self, *words, told=None):
        """What a command prints as JSON."""
        run = subprocess.run(
            [self.binary, *words, "--json"], input=told, capture_output=True, text=True, env=self.environment, cwd=self.folder
        )
        if run.returncode != 0:
            raise SystemExit(f"here: emberwell {' '.join(words)}: exit code {run.returncode}: {run.stderr.strip()}")
        return json.loads(run.stdout)

    def fill(self):
        """Makes people, records and apps; the configuration that names them."""
        keys = {alg: Key.fresh(alg, f"{alg.lower()}-{secrets.token_hex(4)}") for alg in ("RS384", "ES384")}
        for alg, key in keys.items():
            (self.folder / f"{alg}.pem").write_bytes(key.pem())
        jwks = self.folder / "jwks.json"
        jwks.write_text(json.dumps({"keys": [key.jwk() for key in keys.values()]}))
        named = [{"alg": alg, "kid": key.kid, "file": str(self.folder / f"{alg}.pem")} for alg, key in keys.items()]
        redirect = ["--redirect-uri", f"{APP}/callback"]
        launch = ["--launch-uri", f"{APP}/launch"]

        def app(name, kind, *words):
            made = self.command("client", "add", "--name", name, "--kind", kind, "--scope", APP_SCOPE, *redirect, *launch, *words)
            shown = {"client_id": made["client_id"], "redirect_uri": f"{APP}/callback", "launch_uri": f"{APP}/launch"}
            return shown | ({"client_secret": made["client_secret"]} if "client_secret" in made else {})

        def device(name):
            words = ["client", "add", "--name", name, "--kind", "public", "--device", "--scope", DEVICE_SCOPE]
            return {"client_id": self.command(*words)["client_id"], "scope": DEVICE_SCOPE}

        def system(name, scope):
            words = ["client", "add", "--name", name, "--kind", "backend", "--scope", scope, "--jwks", str(jwks)]
            return {"client_id": self.command(*words)["client_id"], "scope": scope, "keys": named}

        clients = {
            "public": app("Pocket chart", "public"),
            "symmetric": app("Clinic chart", "confidential"),
            "asymmetric": app("Signed chart", "confidential", "--jwks", str(jwks)) | {"keys": named},
            "backend": system("Reporting", BACKEND_SCOPE),
            "device": device("Kitchen scale"),
        }
        clients["asymmetric"].pop("client_secret", None)
        clients["launcher"] = clients["public"] | {"scope": "openid fhirUser user/*.rs"}

        filler = Site(self.base, {"clients": {"filler": system("Filling", "system/*.cruds")}})
        token = filler.backend_token(filler.clients["filler"])["access_token"]

        def store(resource):
            return key_of(expect_status(filler.fhir("POST", resource["resourceType"], token, resource), 201).object())

        doctor = store(practitioner())
        patients = {}
        for name in ("Ines", "Jonas", "Stranger"):
            patient, about = family(name)
            patients[name] = store(patient)
            patients[name + " encounter"] = self.store_all(store, patients[name], about)
        expect(len(set(patients.values())) == 6, "resources were not stored")

        def person(email, name, user, *words):
            words = ["person", "add", "--email", email, "--name", name, "--fhir-user", user, "--password-stdin", *words]
            self.command(*words, told=PASSWORD + "\n")
            return {"email": email, "password": PASSWORD, "fhirUser": user}

        ines = person("ines@example.org", "Ines Aalto", patients["Ines"])
        person("stranger@example.org", "Sam Stranger", patients["Stranger"])
        professional = person("dr.okoye@example.org", "Ada Okoye", doctor, "--role", "professional")
        for name, custodian in (("Ines", "ines"), ("Jonas", "ines"), ("Stranger", "stranger")):
            self.command("record", "add", "--existing", patients[name], "--custodian", f"{custodian}@example.org")
        self.command("grant", "add", "--record", patients["Ines"], "--to", professional["email"], "--level", "modify")
        return {
            "person": ines,
            "professional": professional,
            "patients": [patients["Ines"], patients["Jonas"]],
            "stranger": patients["Stranger"],
            "encounter": patients["Ines encounter"],
            "clients": clients,
        }

    @staticmethod
    def store_all(store, patient, about):
        """Stores what is about a patient; the encounter, to which all else refers."""
        encounter = None
        for resource in about:
            resource["subject"] = {"reference": patient}
            if encounter and resource["resourceType"] in ("Observation", "Condition"):
                resource["encounter"] = {"reference": encounter}
            key = store(resource)
            encounter = encounter or key
        return encounter
