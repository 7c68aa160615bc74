"""The unchanged Python library fhirclient: discovery, authorization, refresh, reading. Signs in by posting the forms."""

import json
import os
import re
import sys
from html import unescape
from urllib.parse import urljoin, urlsplit

import requests
from fhirclient import client
from fhirclient.models.observation import Observation

REDIRECT = os.environ["REDIRECT"]


def attributes(tag):
    return {name: unescape(value) for name, value in re.findall(r'([a-z-]+)(?:="([^"]*)")?', tag)}


def forms(answer):
    """The forms of a page: where each goes, and its fields."""
    for head, body in re.findall(r"<form\b([^>]*)>(.*?)</form>", answer.text, re.S):
        address = urljoin(answer.url, attributes(head).get("action", answer.url))
        yield address, [attributes(tag) for tag in re.findall(r"<(?:input|option)\b([^>]*)>", body)], body


def follow(session, answer):
    """Goes where an answer leads, up to the app's own address."""
    while answer.is_redirect:
        address = urljoin(answer.url, answer.headers["Location"])
        if address.startswith(REDIRECT):
            return address
        answer = session.get(address, allow_redirects=False)
    answer.raise_for_status()
    return answer


def sign_in_and_allow(address):
    """Does what a person does in a browser, and gives the address that leads back to the app."""
    session = requests.Session()
    at = follow(session, session.get(address, allow_redirects=False))
    for _ in range(5):
        if isinstance(at, str):
            return at
        for action, fields, body in forms(at):
            sent = [(f["name"], f.get("value", "")) for f in fields if f.get("type") == "hidden" and "name" in f]
            if 'name="password"' in body:
                sent += [("email", os.environ["EMAIL"]), ("password", os.environ["PASSWORD"])]
            elif 'name="decision"' in body:
                sent += [("scope", f["value"]) for f in fields if f.get("name") == "scope" and f.get("type") == "checkbox"]
                records = [f["value"] for f in fields if f.get("value", "").endswith("mila")]
                sent += [("record", records[0]), ("decision", "allow")]
            else:
                continue
            origin = "{0.scheme}://{0.netloc}".format(urlsplit(action))
            at = follow(session, session.post(action, data=sent, headers={"Origin": origin}, allow_redirects=False))
            break
    raise SystemExit(f"no way on from {at.url}: {at.text[:2000]}")


smart = client.FHIRClient(
    settings={
        "app_id": os.environ["CLIENT_ID"],
        "api_base": os.environ["FHIR"],
        "redirect_uri": REDIRECT,
        "scope": "openid fhirUser offline_access patient/*.rs",
    }
)
smart.prepare()
smart.handle_callback(sign_in_and_allow(smart.authorize_url))
name = smart.human_name(smart.patient.name[0])
search = Observation.where({"patient": smart.patient_id, "category": "vital-signs", "_count": "100"})
observations = len(search.perform_resources(smart.server))
before = smart.server.auth.access_token
smart.reauthorize()
smart._patient = None
json.dump(
    {
        "name": name,
        "patient": smart.patient_id,
        "observations": observations,
        "was_refreshed": smart.server.auth.access_token != before,
        "after_refresh": smart.human_name(smart.patient.name[0]),
    },
    sys.stdout,
)
