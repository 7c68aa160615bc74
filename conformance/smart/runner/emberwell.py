"""Emberwell itself: started on an empty database, filled by its own commands, stopped."""

import contextlib
import json
import os
import pathlib
import re
import secrets
import signal
import socket
import subprocess
import sys

from .checks import expect_status
from .jose import Key
from .resources import family, practitioner
from .site import Site, key_of

POSTGRES = "EMBERWELL_TEST_POSTGRES"
# Apps may register themselves, any number of them, and the server has a brand; all else is as it comes.
SETTINGS = """registration = "open"

[rates]
registrations = 0

[brand]
name = "Clinic at the Lake"
website = "https://www.clinic.example/"
portal-name = "MyLake"
line = ["Shore Road 1"]
city = "Laketown"
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
        keys = Keys(self.folder)
        filler = self.system("Filling", "system/*.cruds", keys)
        site = Site(self.base, {"clients": {"filler": filler}})
        token = site.backend_token(site.clients["filler"])["access_token"]

        def store(resource):
            return key_of(expect_status(site.fhir("POST", resource["resourceType"], token, resource), 201).object())

        return self.people(store) | {"clients": self.clients(keys)}

    def clients(self, keys):
        """Registers an app of each kind."""
        public = self.app("Pocket chart", "public")
        device = ["client", "add", "--name", "Kitchen scale", "--kind", "public", "--device", "--scope", DEVICE_SCOPE]
        return {
            "public": public,
            "symmetric": self.app("Clinic chart", "confidential"),
            "asymmetric": self.app("Signed chart", "confidential", "--jwks", str(keys.jwks)) | {"keys": keys.named},
            "backend": self.system("Reporting", BACKEND_SCOPE, keys),
            "device": {"client_id": self.command(*device)["client_id"], "scope": DEVICE_SCOPE},
            "launcher": public | {"scope": "openid fhirUser user/*.rs"},
        }

    def app(self, name, kind, *words):
        where = {"redirect_uri": f"{APP}/callback", "launch_uri": f"{APP}/launch"}
        flags = ["--redirect-uri", where["redirect_uri"], "--launch-uri", where["launch_uri"], *words]
        made = self.command("client", "add", "--name", name, "--kind", kind, "--scope", APP_SCOPE, *flags)
        return where | {member: made[member] for member in ("client_id", "client_secret") if member in made}

    def system(self, name, scope, keys):
        words = ["client", "add", "--name", name, "--kind", "backend", "--scope", scope, "--jwks", str(keys.jwks)]
        return {"client_id": self.command(*words)["client_id"], "scope": scope, "keys": keys.named}

    def people(self, store):
        """Makes two people and a professional: the first keeps two records, of which the professional sees one."""
        ines, visit = self.record(store, "Ines")
        jonas, _ = self.record(store, "Jonas")
        stranger, _ = self.record(store, "Stranger")
        person = self.person("ines@example.org", "Ines Aalto", ines)
        other = self.person("stranger@example.org", "Sam Stranger", stranger)
        professional = self.person("dr.okoye@example.org", "Ada Okoye", store(practitioner()), "--role", "professional")
        for record, custodian in ((ines, person), (jonas, person), (stranger, other)):
            self.command("record", "add", "--existing", record, "--custodian", custodian["email"])
        self.command("grant", "add", "--record", ines, "--to", professional["email"], "--level", "modify")
        named = {"person": person, "professional": professional, "patients": [ines, jonas]}
        return named | {"stranger": stranger, "encounter": visit}

    def person(self, email, name, user, *words):
        flags = ["--email", email, "--name", name, "--fhir-user", user, "--password-stdin", *words]
        self.command("person", "add", *flags, told=PASSWORD + "\n")
        return {"email": email, "password": PASSWORD, "fhirUser": user}

    @staticmethod
    def record(store, name):
        """Stores a Patient and what is about them; the Patient, and the Encounter to which the rest refers."""
        patient, encounter, others = family(name)
        subject = {"subject": {"reference": store(patient)}}
        visit = store(encounter | subject)
        for resource in others:
            store(resource | subject | {"encounter": {"reference": visit}})
        return subject["subject"]["reference"], visit


class Keys:
    """Keys of apps: each in a file of its own, their public halves together in one."""

    def __init__(self, folder):
        keys = [Key.fresh(alg, f"{alg.lower()}-{secrets.token_hex(4)}") for alg in ("RS384", "ES384")]
        self.named = [{"alg": key.alg, "kid": key.kid, "file": str(folder / f"{key.alg}.pem")} for key in keys]
        for key, named in zip(keys, self.named):
            pathlib.Path(named["file"]).write_bytes(key.pem())
        self.jwks = folder / "jwks.json"
        self.jwks.write_text(json.dumps({"keys": [key.jwk() for key in keys]}))
