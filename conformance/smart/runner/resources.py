"""Made-up people, and what was observed of them: several categories of each type, so that scopes can tell them apart."""

OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
CONDITION_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
US_CORE_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/condition-category"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
# Category, code, name, value, unit.
OBSERVATIONS = [
    ("vital-signs", "8867-4", "Heart rate", 71, "/min"),
    ("vital-signs", "29463-7", "Body weight", 68.4, "kg"),
    ("vital-signs", "8310-5", "Body temperature", 36.7, "Cel"),
    ("laboratory", "2345-7", "Glucose", 92, "mg/dL"),
    ("laboratory", "718-7", "Hemoglobin", 13.9, "g/dL"),
    ("laboratory", "2951-2", "Sodium", 140, "mmol/L"),
    ("social-history", "72166-2", "Tobacco smoking status", None, "Never smoker"),
    ("survey", "44261-6", "PHQ-9 total score", 3, "{score}"),
]
CONDITIONS = [
    (CONDITION_CATEGORY, "encounter-diagnosis", "195662009", "Acute viral pharyngitis"),
    (CONDITION_CATEGORY, "problem-list-item", "38341003", "Hypertensive disorder"),
    (US_CORE_CATEGORY, "health-concern", "423315002", "Limited social contact"),
]


def practitioner():
    return {"resourceType": "Practitioner", "active": True, "name": [{"family": "Okoye", "given": ["Ada"]}]}


def family(name):
    """A Patient, an Encounter, and what was found there."""
    patient = {
        "resourceType": "Patient",
        "active": True,
        "name": [{"family": "Aalto", "given": [name]}],
        "birthDate": "1984-05-17",
    }
    encounter = {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "period": {"start": "2024-03-02T09:00:00Z", "end": "2024-03-02T09:30:00Z"},
    }
    observations = [observation(day, *row) for day in (1, 2) for row in OBSERVATIONS]
    return patient, encounter, observations + [condition(*row) for row in CONDITIONS]


def observation(day, category, code, name, value, unit):
    measured = {"valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}}
    return {
        "resourceType": "Observation",
        "status": "final",
        "effectiveDateTime": f"2024-03-0{day}",
        "category": [{"coding": [{"system": OBSERVATION_CATEGORY, "code": category}]}],
        "code": {"coding": [{"system": LOINC, "code": code, "display": name}]},
    } | (measured if value is not None else {"valueString": unit})


def condition(system, category, code, name):
    return {
        "resourceType": "Condition",
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
        "category": [{"coding": [{"system": system, "code": category}]}],
        "code": {"coding": [{"system": SNOMED, "code": code, "display": name}]},
    }
