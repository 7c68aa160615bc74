// An app on the unchanged npm library `fhirclient`, at an origin of its own.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { decide, launch, person, signIn, test } from "./support/chromium.js";
import { get, launchHandle, tokenOf } from "./support/people.js";
import { NADIA, PASSWORD, SOLBERG, demo } from "./support/server.js";
import { app } from "./support/static.js";

const SCOPE = "openid fhirUser offline_access patient/Patient.rs patient/Observation.rs patient/Encounter.rs";

describe("npm fhirclient in Chromium", () => {
    let server, browser, vitals;

    before(async () => {
        const settings = {};
        server = await demo();
        browser = await launch();
        vitals = await app("vitals", { "/fhir-client.js": "fhirclient/build/fhir-client.min.js" }, settings);
        const { client_id } = await server.client(
            "--name", "Vitals on a library", "--kind", "public", "--redirect-uri", `${vitals.origin}/index.html`,
            "--launch-uri", `${vitals.origin}/launch.html`, "--scope", `launch launch/patient ${SCOPE}`,
            "--reason", "patient/Observation.rs=to list what was measured",
        );
        Object.assign(settings, { clientId: client_id, iss: server.fhir, scope: SCOPE });
    });
    after(async () => {
        await browser?.close();
        await vitals?.stop();
        await server?.stop();
    });

    async function done(page) {
        await page.locator("#state").filter({ hasText: /^(done|refreshed|failed.*)$/ }).waitFor();
        assert.match(await page.locator("#state").innerText(), /^(done|refreshed)$/);
        return page.evaluate(() => window.RESULT);
    }

    test("launches by itself: PKCE, the choice of a record, pages, an id token, refresh", async () => {
        const { page, wrong } = await person(browser);
        await page.goto(`${vitals.origin}/launch.html`);
        await page.waitForURL(`${server.url}/sign-in**`);
        await signIn(page, NADIA, PASSWORD);
        await page.locator("button[name=decision]").first().waitFor();
        await decide(page, { record: "nadia" });

        const first = await done(page);
        await page.screenshot({ path: `${process.env.EMBERWELL_SCREENSHOTS}/fhirclient-standalone.png` });
        assert.equal(first.count, 35);
        assert.equal(first.idToken.fhirUser, `${server.fhir}/Patient/nadia`);
        assert.equal(first.token.patient, "nadia");
        assert.equal(first.idToken.iss, server.url);
        assert.deepEqual(first.token.scope.split(" ").sort(), `launch/patient ${SCOPE}`.split(" ").sort());

        // The library sends no client_id with a refresh: the refresh token alone tells whose it is.
        await page.locator("#refresh").click();
        const second = await done(page);
        assert.notEqual(second.token.access_token, first.token.access_token);
        assert.notEqual(second.token.refresh_token, first.token.refresh_token);
        assert.equal((await get(server, second.token.access_token, "Patient/nadia")).status, 200);
        assert.deepEqual(wrong, []);
    });

    test("is launched from a chart, with its patient and its encounter", async () => {
        const portal = await tokenOf(server, SOLBERG, "openid fhirUser user/Patient.rs user/Encounter.rs");
        const encounters = await get(server, portal.access_token, "Encounter?patient=mila");
        const encounter = encounters.body.entry[0].resource.id;
        const handle = await launchHandle(server, portal.access_token, {
            client_id: vitals.settings.clientId, patient: "mila", encounter,
        });
        const { page, wrong } = await person(browser);
        await page.goto(`${vitals.origin}/launch.html?${new URLSearchParams({ iss: server.fhir, launch: handle })}`);
        await page.waitForURL(`${server.url}/sign-in**`);
        await signIn(page, SOLBERG, PASSWORD);
        await page.locator("button[name=decision]").first().waitFor();
        await decide(page);

        const result = await done(page);
        await page.screenshot({ path: `${process.env.EMBERWELL_SCREENSHOTS}/fhirclient-ehr.png` });
        assert.equal(result.token.patient, "mila");
        assert.equal(result.encounter, encounter);
        assert.equal(result.idToken.fhirUser, `${server.fhir}/Practitioner/solberg`);
        assert.equal(result.user, "Practitioner/solberg");
        assert.equal(result.count, 23);
        assert.deepEqual(wrong, []);
    });

    test("is told that it was denied", async () => {
        const { page } = await person(browser);
        await page.goto(`${vitals.origin}/launch.html`);
        await signIn(page, NADIA, PASSWORD);
        await page.locator("button[name=decision]").first().waitFor();
        await decide(page, { decision: "deny" });

        await page.locator("#state").filter({ hasText: "failed: access_denied" }).waitFor();
    });
});
