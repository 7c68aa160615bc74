// What a SMART app does before it may read: discovery, PKCE, the way to the server and back, tokens.
//
// Spec: SMART App Launch 2.2 app-launch.html; RFC 7636, 9207

const CLIENT_ID = "sample-app";
const REDIRECT_URI = `${location.origin}/sample-app/`;
// Beside launch or launch/patient, which say how the record is chosen.
const SCOPES = [
    "openid",
    "fhirUser",
    "offline_access",
    "patient/Patient.r",
    "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs",
];
// Of this tab, and gone with it.
const PENDING = "sample-app.pending";
const ACCESS = "sample-app.access";

/** An answer of the server that is no success, by its OAuth error code. */
export class Refused extends Error {
    constructor(code, description) {
        super(description || code);
        this.code = code;
    }
}

/** Goes to the server to ask for access. With `launch` the record was chosen before; otherwise the server asks which. */
export async function authorize({ iss, launch }) {
    const server = await discover(iss);
    const home = new URL(server.authorization_endpoint).origin;
    if (home !== location.origin) {
        // The same server by its other name (localhost, 127.0.0.1): tokens are for the one that it calls itself.
        if (new URL(iss).origin === location.origin && !launch) {
            location.replace(`${home}/sample-app/`);
            return;
        }
        throw new Error("This sample app works with the server that it came from, and with no other.");
    }
    const [state, verifier] = [random(), random()];
    sessionStorage.setItem(PENDING, JSON.stringify({ state, verifier, iss, server }));
    const address = new URL(server.authorization_endpoint);
    const parameters = {
        response_type: "code",
        client_id: CLIENT_ID,
        redirect_uri: REDIRECT_URI,
        scope: [launch ? "launch" : "launch/patient", ...SCOPES].join(" "),
        state,
        aud: iss,
        code_challenge: await challenge(verifier),
        code_challenge_method: "S256",
    };
    if (launch) {
        parameters.launch = launch;
    }
    for (const [name, value] of Object.entries(parameters)) {
        address.searchParams.set(name, value);
    }
    location.assign(address);
}

/** Takes what the server sent back in the address of this page, if anything: the access, or null. Throws what was refused. */
export async function returned() {
    const parameters = new URLSearchParams(location.search);
    if (!parameters.has("code") && !parameters.has("error")) {
        return null;
    }
    // A code works once; it is not to be asked for again, nor to stay in the address.
    history.replaceState(null, "", REDIRECT_URI);
    const pending = JSON.parse(sessionStorage.getItem(PENDING) || "null");
    sessionStorage.removeItem(PENDING);
    if (!pending || parameters.get("state") !== pending.state) {
        throw new Error("This answer is not to a question of this tab. Please connect again.");
    }
    if (parameters.has("iss") && parameters.get("iss") !== pending.server.issuer) {
        throw new Error("This answer comes from another server than was asked. Please connect again.");
    }
    if (parameters.has("error")) {
        throw new Refused(parameters.get("error"), parameters.get("error_description"));
    }
    const tokens = await ask(pending.server.token_endpoint, {
        grant_type: "authorization_code",
        code: parameters.get("code"),
        redirect_uri: REDIRECT_URI,
        client_id: CLIENT_ID,
        code_verifier: pending.verifier,
    });
    return keep({ iss: pending.iss, tokenEndpoint: pending.server.token_endpoint, ...remembered(tokens) });
}

/** The access that this tab has, or null. */
export function current() {
    return JSON.parse(sessionStorage.getItem(ACCESS) || "null");
}

/** Forgets the access in this tab. */
export function forget() {
    sessionStorage.removeItem(ACCESS);
}

/** Gets a new token for `access`, by its refresh token. */
export async function refresh(access) {
    if (!access.refreshToken) {
        throw new Error("This access can't be renewed: it was given for this time only. Please connect again.");
    }
    const tokens = await ask(access.tokenEndpoint, {
        grant_type: "refresh_token",
        refresh_token: access.refreshToken,
        client_id: CLIENT_ID,
    });
    // What the server does not say again stays as it was.
    return keep({ ...access, ...remembered(tokens) });
}

/** Reads `path` below the FHIR base, or a link to the next page. A token that ran out is renewed once. */
export async function read(path, access = current()) {
    const address = new URL(path, `${access.iss}/`);
    if (!address.href.startsWith(`${access.iss}/`) && !address.href.startsWith(`${access.iss}?`)) {
        throw new Error("The server named an address elsewhere, where the token must not go.");
    }
    const get = (token) =>
        fetch(address, { headers: { Accept: "application/fhir+json", Authorization: `Bearer ${token}` } });
    let answer = await get(access.accessToken);
    if (answer.status === 401 && access.refreshToken) {
        answer = await get((await refresh(access)).accessToken);
    }
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) {
        const issue = body.issue?.[0];
        throw new Refused(`http_${answer.status}`, issue?.diagnostics || issue?.details?.text);
    }
    return body;
}

/** What went wrong, for people. */
export function inWords(error) {
    const known = {
        access_denied: "Access was not allowed, so nothing was read.",
        invalid_grant: "The access has ended: it was taken back, or it was not used for long. Please connect again.",
        invalid_scope: "The server would give none of what this app asks for.",
        invalid_request: "The server did not understand this app.",
        http_401: "The access has ended. Please connect again.",
        http_403: "The server does not let this app read this.",
        http_404: "What this app looks for is not there, or it may not see it.",
        http_429: "The server is asked too often. Please wait a minute.",
        http_503: "The server is too busy. Please wait a minute.",
    };
    const words = known[error.code];
    if (words) {
        return error.message && error.message !== error.code ? `${words} The server says: ${error.message}` : words;
    }
    return error instanceof TypeError ? "The server can't be reached. Is it running?" : error.message;
}

async function discover(iss) {
    const answer = await fetch(`${iss}/.well-known/smart-configuration`, { headers: { Accept: "application/json" } });
    if (!answer.ok) {
        throw new Error(`There is no SMART server at ${iss} (${answer.status}).`);
    }
    const server = await answer.json();
    if (!server.code_challenge_methods_supported?.includes("S256")) {
        throw new Error("The server does not say that it knows PKCE with S256, without which this app asks for nothing.");
    }
    return server;
}

async function ask(tokenEndpoint, parameters) {
    const answer = await fetch(tokenEndpoint, { method: "POST", body: new URLSearchParams(parameters) });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) {
        throw new Refused(body.error || `http_${answer.status}`, body.error_description);
    }
    return body;
}

function remembered(tokens) {
    const access = { accessToken: tokens.access_token, expires: Date.now() + 1000 * (tokens.expires_in || 0) };
    const others = { refresh_token: "refreshToken", scope: "scope", patient: "patient", need_patient_banner: "needsBanner" };
    for (const [name, own] of Object.entries(others)) {
        if (tokens[name] !== undefined) {
            access[own] = tokens[name];
        }
    }
    return access;
}

function keep(access) {
    sessionStorage.setItem(ACCESS, JSON.stringify(access));
    return access;
}

// 256 random bits.
function random() {
    return encoded(crypto.getRandomValues(new Uint8Array(32)));
}

async function challenge(verifier) {
    return encoded(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}

function encoded(bytes) {
    return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
