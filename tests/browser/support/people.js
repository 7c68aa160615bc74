// What people and an EHR do before an app is launched.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";

import { allow } from "./forms.js";
import { PASSWORD } from "./server.js";

/** An app without a screen, by which a person of the demonstration gets a token: all by forms. */
export async function tokenOf(server, email, scope, { record, launch, client } = {}) {
    const redirect = "http://127.0.0.1:9/done";
    const { client_id } = client || (await server.client("--name", "A portal", "--kind", "public", "--redirect-uri", redirect, "--scope", scope));
    const verifier = randomBytes(32).toString("base64url");
    const address = new URL((await discovered(server)).authorization_endpoint);
    const parameters = {
        response_type: "code", client_id, redirect_uri: redirect, scope, state: "s", aud: server.fhir,
        code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
        ...(launch ? { launch } : {}),
    };
    Object.entries(parameters).forEach(([name, value]) => address.searchParams.set(name, value));
    const back = new URL((await allow(address.href, { email, password: PASSWORD, record })).address);
    assert.equal(back.origin + back.pathname, redirect, back.href);
    assert.equal(back.searchParams.get("state"), "s");
    const answer = await fetch((await discovered(server)).token_endpoint, {
        method: "POST",
        body: new URLSearchParams({
            grant_type: "authorization_code", code: back.searchParams.get("code"), client_id, redirect_uri: redirect,
            code_verifier: verifier,
        }),
    });
    const tokens = await answer.json();
    assert.equal(answer.status, 200, JSON.stringify(tokens));
    return tokens;
}

/** The discovery document. */
export async function discovered(server) {
    const answer = await fetch(`${server.fhir}/.well-known/smart-configuration`);
    assert.equal(answer.status, 200);
    return answer.json();
}

/** What an EHR does when somebody opens an app from a chart: the handle for the app's launch. */
export async function launchHandle(server, token, what) {
    const answer = await fetch((await discovered(server)).launch_endpoint, {
        method: "POST",
        headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
        body: JSON.stringify(what),
    });
    const body = await answer.json();
    assert.equal(answer.status, 200, JSON.stringify(body));
    return body.launch;
}

/** Reads below the FHIR base with a token. */
export async function get(server, token, path) {
    const answer = await fetch(`${server.fhir}/${path}`, { headers: { Authorization: `Bearer ${token}` } });
    return { status: answer.status, body: await answer.json() };
}
