"""Compares the documentation with the checks that there are, and with the lists of requirements."""

import csv
import io
import re
import sys
import tarfile

LIST = "smart-app-launch-test-kit/smart_app_launch_test_kit_requirements.csv"
SET = "hl7.fhir.uv.smart-app-launch_2.2.0"
HEADING = "## SMART App Launch 2.2"
# A row of the table of requirements: its number, then the words, then what shows it.
ROW = re.compile(r"\| \[(\d+)\]\((\S+)\) \|")
CHECK = re.compile(r"`([a-z0-9-]+\.[a-z0-9-]+)`")


def section(text):
    """The part of the documentation that is about SMART App Launch."""
    return HEADING + text.partition(HEADING)[2].split("\n## ")[0]


def requirements(archive):
    """By number: the strength of each requirement on servers."""
    with tarfile.open(archive) as files:
        text = files.extractfile(LIST).read().decode("utf-8-sig")
    rows = csv.DictReader(io.StringIO(text))
    return {int(row["ID"]): row["Conformance"] for row in rows if row["Req Set"] == SET and row["Actors"] == "Server"}


def findings(text, checks, strengths):
    """What does not agree; `checks` are all checks, `strengths` those of the requirements or None."""
    part = section(text)
    known = {check.id: check for check in checks}
    groups = {check.id.split(".")[0] for check in checks}
    named = {name for name in CHECK.findall(part) if name.split(".")[0] in groups}
    for name in sorted(named - set(known)):
        yield f"the documentation names the check {name}, which does not exist"
    told = set()
    for line in part.splitlines():
        row = ROW.match(line)
        if not row:
            continue
        number = int(row[1])
        if number in told:
            yield f"the documentation has requirement {number} twice"
        told.add(number)
        for name in CHECK.findall(line):
            if name in known and number not in known[name].covers:
                yield f"the documentation says that {name} shows requirement {number}, and the check does not say so"
    if strengths is None:
        return
    for number in sorted(number for number, strength in strengths.items() if strength.startswith("SHALL") and number not in told):
        yield f"the documentation lacks requirement {number}"
    for number in sorted(told - set(strengths)):
        yield f"the documentation has requirement {number}, which is not one on servers"
    for check in checks:
        for number in check.covers:
            if number not in strengths:
                yield f"the check {check.id} names requirement {number}, which is not one on servers"


def compare(document, groups, archive):
    """Prints what does not agree; the exit code."""
    checks = [check for group in groups for check in group.checks()]
    strengths = requirements(archive) if archive.exists() else None
    if strengths is None:
        print(f"run: {archive} is not there; requirements are not compared", file=sys.stderr)
    found = list(findings(document.read_text(), checks, strengths))
    for finding in found:
        print(finding)
    ids = [check.id for check in checks]
    twice = {name for name in ids if ids.count(name) > 1}
    for name in sorted(twice):
        print(f"the check {name} is there twice")
    if not found and not twice:
        covered = {number for check in checks for number in check.covers}
        print(f"{len(checks)} checks in {len(groups)} groups name {len(covered)} requirements; the documentation agrees")
    return 1 if found or twice else 0
