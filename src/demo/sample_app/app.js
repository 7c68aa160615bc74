// The first page: connects, reads, draws.

import { chart, day } from "./chart.js";
import { authorize, current, forget, inWords, read, refresh, returned } from "./smart.js";

const VITAL_SIGNS = "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs";
// So many on a page: the app goes on to the next until there is none.
const PAGE = 20;
const MOST_PAGES = 100;

const at = (id) => document.getElementById(id);

at("connect").addEventListener("click", () => doing("Asking the server ..", () => authorize({ iss: `${location.origin}/fhir` })));
at("reload").addEventListener("click", () => doing("Reading ..", show));
at("refresh").addEventListener("click", () => doing("Renewing ..", async () => {
    await refresh(current());
    await show();
    at("status").textContent = "The access was renewed.";
}));
at("forget").addEventListener("click", () => {
    forget();
    location.assign("/sample-app/");
});

await doing("", async () => {
    if ((await returned()) || current()) {
        at("status").textContent = "Reading ..";
        await show();
    }
});

// Does `work`, and shows what went wrong with it.
async function doing(words, work) {
    at("error").hidden = true;
    at("status").textContent = words;
    try {
        await work();
    } catch (error) {
        at("status").textContent = "";
        at("error").textContent = inWords(error);
        at("error").hidden = false;
        if (["invalid_grant", "http_401"].includes(error.code)) {
            forget();
            at("start").hidden = false;
            at("access").hidden = true;
        }
    }
}

async function show() {
    const access = current();
    if (!access.patient) {
        throw new Error("The server gave an access without a record. Please connect again.");
    }
    at("start").hidden = true;
    showAccess(access);
    const patient = await read(`Patient/${access.patient}`).catch((error) => {
        // A person may allow the measurements and not the name.
        if (["http_403", "http_404"].includes(error.code)) {
            return null;
        }
        throw error;
    });
    showPerson(patient, access);
    const observations = await readAll(
        `Observation?patient=${access.patient}&category=${encodeURIComponent(VITAL_SIGNS)}&_count=${PAGE}`,
    );
    const series = seriesOf(observations);
    at("charts").replaceChildren(...series.map(chart));
    at("record").hidden = false;
    const measured = series.length === 0 ? "No vital signs are in this record yet." : `${observations.length} measurements.`;
    at("status").textContent = measured;
}

function showPerson(patient, access) {
    // An EHR that shows whose record it is says that the app needn't.
    const isNamed = patient && access.needsBanner !== false;
    at("person").textContent = isNamed ? nameOf(patient) : "Measurements";
    at("born").textContent = isNamed && patient.birthDate ? `Born ${bornOn(patient.birthDate)}` : "";
}

// A date that may be a year or a month alone stays as it is.
function bornOn(date) {
    return date.length === 10 ? day(`${date}T12:00`) : date;
}

function nameOf(patient) {
    const name = (patient.name || []).find((name) => name.use === "official") || patient.name?.[0] || {};
    return name.text || [...(name.given || []), name.family].filter(Boolean).join(" ") || "A person without a name";
}

function showAccess(access) {
    const scopes = (access.scope || "").split(" ").filter(Boolean);
    at("scopes").replaceChildren(...scopes.map((scope) => {
        const item = document.createElement("li");
        const code = document.createElement("code");
        code.textContent = scope;
        item.append(code);
        return item;
    }));
    const until = new Date(access.expires).toLocaleTimeString("en-GB", { timeStyle: "short" });
    const renewed = access.refreshToken ? "and is renewed when it is needed" : "and ends then";
    at("expiry").textContent = `The access lasts until ${until}, ${renewed}.`;
    at("refresh").hidden = !access.refreshToken;
    at("access").hidden = false;
}

async function readAll(path) {
    const found = [];
    for (let page = 0; path && page < MOST_PAGES; page += 1) {
        const bundle = await read(path);
        const entries = (bundle.entry || []).filter((entry) => entry.search?.mode !== "outcome");
        found.push(...entries.map((entry) => entry.resource));
        path = bundle.link?.find((link) => link.relation === "next")?.url;
    }
    return found;
}

// Observations of one code are one series; the components of one, such as of a blood pressure, are its lines.
function seriesOf(observations) {
    const all = new Map();
    for (const observation of observations) {
        const time = Date.parse(observation.effectiveDateTime || observation.effectivePeriod?.start || "");
        const parts = observation.component?.length ? observation.component : [observation];
        if (Number.isNaN(time) || observation.status === "entered-in-error") {
            continue;
        }
        const key = keyOf(observation.code);
        for (const part of parts.filter((part) => part.valueQuantity?.value !== undefined)) {
            const { value, unit, code } = part.valueQuantity;
            const series = all.get(key) || { title: titleOf(observation.code), unit: unit || code || "", lines: new Map() };
            const line = series.lines.get(keyOf(part.code)) || { name: titleOf(part.code), points: [] };
            line.points.push({ time, value: Number(value), text: String(value) });
            series.lines.set(keyOf(part.code), line);
            all.set(key, series);
        }
    }
    const ordered = [...all.values()].map((series) => ({ ...series, lines: [...series.lines.values()] }));
    for (const line of ordered.flatMap((series) => series.lines)) {
        line.points.sort((one, other) => one.time - other.time);
    }
    return ordered.sort((one, other) => one.title.localeCompare(other.title));
}

function keyOf(concept) {
    const coding = concept?.coding?.[0];
    return coding ? `${coding.system}|${coding.code}` : concept?.text || "";
}

function titleOf(concept) {
    return concept?.text || concept?.coding?.[0]?.display || concept?.coding?.[0]?.code || "Measurement";
}
