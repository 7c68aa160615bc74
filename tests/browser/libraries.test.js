// Unchanged client libraries beside a browser: how they find the server, get tokens and read.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { MedplumClient } from "@medplum/core";
import { Client as KitClient } from "fhir-kit-client";

import { decide, launch, person, signIn, test } from "./support/chromium.js";
import { allow } from "./support/forms.js";
import { discovered } from "./support/people.js";
import { NADIA, PASSWORD, demo } from "./support/server.js";
import { app } from "./support/static.js";

const REDIRECT = "http://127.0.0.1:9/done";

describe("client libraries", () => {
    let server;

    before(async () => {
        server = await demo();
    });
    after(() => server?.stop());

    test("fhir-kit-client finds the endpoints in whichever document comes first, and reads with the token", async () => {
        const scope = "launch/patient openid fhirUser patient/*.rs";
        const { client_id } = await server.client(
            "--name", "Kit", "--kind", "public", "--redirect-uri", REDIRECT, "--scope", scope,
        );
        const client = new KitClient({ baseUrl: server.fhir });
        const endpoints = await client.smartAuthMetadata();
        const document = await discovered(server);
        assert.equal(endpoints.authorizeUrl.href, document.authorization_endpoint);
        assert.equal(endpoints.tokenUrl.href, document.token_endpoint);

        const verifier = randomBytes(32).toString("base64url");
        const address = new URL(endpoints.authorizeUrl);
        const asked = {
            response_type: "code", client_id, redirect_uri: REDIRECT, scope, state: "kit", aud: server.fhir,
            code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
        };
        Object.entries(asked).forEach(([name, value]) => address.searchParams.set(name, value));
        const back = new URL((await allow(address.href, { email: NADIA, password: PASSWORD, record: "theo" })).address);
        const body = new URLSearchParams({
            grant_type: "authorization_code", code: back.searchParams.get("code"), client_id, redirect_uri: REDIRECT,
            code_verifier: verifier,
        });
        const tokens = await (await fetch(endpoints.tokenUrl, { method: "POST", body })).json();
        client.bearerToken = tokens.access_token;

        const patient = await client.read({ resourceType: "Patient", id: tokens.patient });
        assert.equal(patient.name[0].given[0], "Theo");
        let page = await client.search({ resourceType: "Observation", searchParams: { patient: "theo", _count: "10" } });
        let found = 0;
        for (; page; page = await client.nextPage({ bundle: page })) {
            found += page.entry.length;
        }
        assert.equal(found, 30);
        await assert.rejects(client.read({ resourceType: "Patient", id: "jonas" }), (error) => error.response.status === 404);
    });

    test("Python fhirclient finds the endpoints in the CapabilityStatement and reads the patient", async () => {
        const { client_id } = await server.client(
            "--name", "Python", "--kind", "public", "--redirect-uri", REDIRECT,
            "--scope", "launch/patient openid fhirUser offline_access patient/*.rs",
        );
        const program = fileURLToPath(new URL("apps/python/vitals.py", import.meta.url));
        const environment = { ...process.env, FHIR: server.fhir, CLIENT_ID: client_id, REDIRECT, EMAIL: NADIA, PASSWORD };
        const run = promisify(execFile)(process.env.EMBERWELL_TEST_PYTHON, [program], { env: environment });
        const { stdout } = await run.catch((error) => assert.fail(`${error.message}\n${error.stdout}\n${error.stderr}`));

        assert.deepEqual(JSON.parse(stdout), {
            name: "Mila Okoye-Lind", patient: "mila", observations: 23, was_refreshed: true, after_refresh: "Mila Okoye-Lind",
        });
    });

    describe("a backend client with an ES384 key", () => {
        let folder, client, key;

        before(async () => {
            const pair = generateKeyPairSync("ec", { namedCurve: "P-384" });
            key = pair.privateKey;
            folder = await mkdtemp(join(tmpdir(), "emberwell-keys-"));
            const file = join(folder, "keys.json");
            const jwk = { ...pair.publicKey.export({ format: "jwk" }), kid: "one", alg: "ES384", use: "sig" };
            await writeFile(file, JSON.stringify({ keys: [jwk] }));
            client = await server.client("--name", "A system", "--kind", "backend", "--jwks", file, "--scope", "system/*.rs");
        });
        after(() => rm(folder, { recursive: true, force: true }));

        async function assertion(changes = {}) {
            const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
            const { token_endpoint } = await discovered(server);
            const claims = {
                iss: client.client_id, sub: client.client_id, aud: token_endpoint, jti: randomUUID(),
                exp: Math.floor(Date.now() / 1000) + 240, ...changes,
            };
            const signed = `${encoded({ alg: "ES384", typ: "JWT", kid: "one" })}.${encoded(claims)}`;
            return `${signed}.${sign("sha384", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
        }

        test("gets a token by itself, and with it all records", async () => {
            const { token_endpoint } = await discovered(server);
            const ask = async (client_assertion) => {
                const body = new URLSearchParams({
                    grant_type: "client_credentials", scope: "system/Patient.rs", client_assertion,
                    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                });
                return fetch(token_endpoint, { method: "POST", body });
            };
            const once = await assertion();
            const tokens = await (await ask(once)).json();
            assert.equal(tokens.token_type.toLowerCase(), "bearer", JSON.stringify(tokens));
            const reader = new KitClient({ baseUrl: server.fhir });
            reader.bearerToken = tokens.access_token;
            assert.equal((await reader.search({ resourceType: "Patient" })).entry.length, 4);

            assert.equal((await ask(once)).status, 401, "an assertion works once");
            assert.equal((await ask(await assertion({ aud: "https://elsewhere.example" }))).status, 401);
        });

        test("is told by way of @medplum/core to name its scopes, which that library does not", async () => {
            const { token_endpoint } = await discovered(server);
            const medplum = new MedplumClient({
                baseUrl: `${server.url}/`, fhirUrlPath: "fhir", tokenUrl: token_endpoint, clientId: client.client_id, fetch,
            });
            const login = medplum.startJwtAssertionLogin(await assertion());
            await assert.rejects(login, (error) => /name the scopes/.test(error.cause.message));
        });
    });

    describe("@medplum/core in Chromium", () => {
        let browser, pages;
        const scope = "launch/patient openid fhirUser offline_access patient/Observation.rs";

        before(async () => {
            browser = await launch();
            const settings = {};
            pages = await app("medplum", { "/medplum.mjs": "@medplum/core/dist/esm/index.mjs" }, settings);
            Object.assign(settings, { root: server.url, scope, patient: "mila" });
        });
        after(async () => {
            await browser?.close();
            await pages?.stop();
        });

        async function register(...more) {
            const { client_id } = await server.client(
                "--name", "Medplum", "--kind", "public", "--redirect-uri", `${pages.origin}/`, "--scope", scope, ...more,
            );
            pages.settings.clientId = client_id;
        }

        test("without aud it is told what is missing, unless it is registered so", async () => {
            await register();
            const { page } = await person(browser);
            await page.goto(`${pages.origin}/`);
            await page.getByRole("button", { name: "Connect" }).click();
            await page.waitForURL((url) => url.origin === server.url || url.searchParams.has("error"));
            const told = `${page.url()} ${await page.locator("body").innerText()}`;
            assert.match(told, /aud/);
        });

        test("registered to go without aud, it gets a token by PKCE and reads", async () => {
            await register("--without-aud");
            const { page, wrong } = await person(browser);
            await page.goto(`${pages.origin}/`);
            await page.getByRole("button", { name: "Connect" }).click();
            await page.waitForURL(`${server.url}/sign-in**`);
            await signIn(page, NADIA, PASSWORD);
            await page.locator("button[name=decision]").first().waitFor();
            await decide(page, { record: "mila" });
            await page.waitForURL(`${pages.origin}/**`);
            await page.locator("#state").filter({ hasText: /done|failed/ }).waitFor();
            assert.equal(await page.locator("#state").innerText(), "done", wrong.join("\n"));
            assert.equal((await page.evaluate(() => window.RESULT)).entries, 5);
        });
    });
});
