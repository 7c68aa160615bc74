// Our own sample app in a browser, as the first screen of the README has it.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { decide, DESK, inspect, launch, person, signIn, test } from "./support/chromium.js";
import { get, launchHandle, tokenOf } from "./support/people.js";
import { NADIA, PASSWORD, SOLBERG, demo } from "./support/server.js";

const VITAL_SIGNS =
    "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs";

describe("the sample app", () => {
    let server, browser;

    before(async () => {
        server = await demo();
        browser = await launch();
    });
    after(async () => {
        await browser?.close();
        await server?.stop();
    });

    async function connected(options = {}) {
        const someone = await person(browser);
        const { page } = someone;
        await page.goto(`${server.url}/sample-app/`);
        await page.getByRole("button", { name: "Connect to a record" }).click();
        await signIn(page, NADIA, PASSWORD);
        await page.locator("button[name=decision]").first().waitFor();
        await decide(page, { record: "mila", ...options });
        await page.waitForURL(`${server.url}/sample-app/**`);
        return someone;
    }

    test("draws the vital signs of the record that its reader chose", async () => {
        const { page, wrong } = await person(browser);
        await page.goto(`${server.url}/sample-app/`);
        await inspect(page, "sample-app-start");
        await page.getByRole("button", { name: "Connect to a record" }).click();
        await page.waitForURL(`${server.url}/sign-in**`);
        await inspect(page, "sample-app-sign-in");
        await signIn(page, NADIA, PASSWORD);
        await page.locator("button[name=decision]").first().waitFor();
        await inspect(page, "sample-app-consent");
        await decide(page, { record: "mila" });

        await page.waitForURL(`${server.url}/sample-app/`);
        await page.getByRole("heading", { name: "Mila Okoye-Lind" }).waitFor();
        await page.getByText("23 measurements.").waitFor();
        assert.equal(await page.locator("article").count(), 5);
        assert.equal(await page.locator("article svg").count(), 2, "of height and weight there are several");
        assert.match(await page.locator("#scopes").innerText(), /Observation\.rs\?category=/);
        await page.getByText("10 measurements as a table").first().click();
        await inspect(page, "sample-app-record");
        await page.getByRole("button", { name: "Renew the access" }).click();
        await page.getByText("The access was renewed.").waitFor();
        await page.reload();
        await page.getByRole("heading", { name: "Mila Okoye-Lind" }).waitFor();
        assert.deepEqual(wrong, []);
    });

    test("goes through all pages of a long record", async () => {
        const { page } = await connected({ record: "nadia" });

        await page.getByText("35 measurements.").waitFor();
        await page.setViewportSize(DESK);
        assert.match(await page.locator("article").filter({ hasText: "Heart rate" }).innerText(), /23 measurements as a table/);
    });

    test("is launched from a chart by the doctor, with the patient that is open there", async () => {
        const portal = await tokenOf(server, SOLBERG, "openid fhirUser user/Patient.rs user/Encounter.rs");
        const encounters = await get(server, portal.access_token, "Encounter?patient=theo");
        const encounter = encounters.body.entry[0].resource.id;
        const handle = await launchHandle(server, portal.access_token, {
            client_id: "sample-app", patient: "theo", encounter, need_patient_banner: true,
        });
        const { page, wrong } = await person(browser);
        const parameters = new URLSearchParams({ iss: server.fhir, launch: handle });
        await page.goto(`${server.url}/sample-app/launch.html?${parameters}`);
        await page.waitForURL(`${server.url}/sign-in**`);
        await signIn(page, SOLBERG, PASSWORD);
        await page.locator("button[name=decision]").first().waitFor();
        await inspect(page, "ehr-launch-consent");
        assert.equal(await page.locator("[name=record]:not([type=hidden])").count(), 0, "the launch says which record");
        await decide(page);

        await page.getByRole("heading", { name: "Theo Okoye-Lind" }).waitFor();
        await page.getByText("30 measurements.").waitFor();
        await inspect(page, "ehr-launch-record");
        assert.deepEqual(wrong, []);
    });

    test("says in plain words that it was not allowed", async () => {
        const { page } = await connected({ decision: "deny" });

        await page.getByRole("alert").getByText("Access was not allowed, so nothing was read.").waitFor();
        await inspect(page, "sample-app-denied");
        assert.equal(await page.getByRole("button", { name: "Connect to a record" }).isVisible(), true);
    });

    test("shows measurements without a name when the name was not allowed", async () => {
        const { page } = await connected({ without: ["patient/Patient.r"] });

        await page.getByRole("heading", { name: "Measurements" }).waitFor();
        await page.getByText("23 measurements.").waitFor();
        assert.doesNotMatch(await page.locator("#scopes").innerText(), /Patient\.r/);
    });

    test("is not let in without what it needs, and people are told which line that is", async () => {
        const { page } = await person(browser);
        await page.goto(`${server.url}/sample-app/`);
        await page.getByRole("button", { name: "Connect to a record" }).click();
        await signIn(page, NADIA, PASSWORD);
        await page.locator("button[name=decision]").first().waitFor();
        await decide(page, { record: "mila", without: [VITAL_SIGNS] });

        await page.getByText("The app does not work without this.").waitFor();
        assert.ok(page.url().startsWith(server.url), page.url());
        await inspect(page, "consent-lacking");
        assert.equal(await page.locator("input[name=record]:checked").inputValue(), "mila", "what was chosen stays");
        assert.equal(await page.locator(`input[name=scope][value="${VITAL_SIGNS}"]`).isChecked(), false);
    });

    test("refuses an answer that it did not ask for, and a launch without its parts", async () => {
        const { page } = await person(browser);
        await page.goto(`${server.url}/sample-app/?code=stolen&state=other`);
        await page.getByRole("alert").getByText("This answer is not to a question of this tab.").waitFor();
        assert.equal(page.url(), `${server.url}/sample-app/`, "the code is out of the address");

        await page.goto(`${server.url}/sample-app/launch.html?launch=x`);
        await page.getByRole("alert").getByText("lacks iss or launch").waitFor();
        await page.goto(`${server.url}/sample-app/launch.html?launch=x&iss=http://127.0.0.1:1/fhir`);
        await page.getByRole("alert").getByText("can't be reached").waitFor();
    });

    test("goes on at the address that the server calls its own", async () => {
        const { page } = await person(browser);
        await page.goto(`${server.url.replace("127.0.0.1", "localhost")}/sample-app/`);
        await page.getByRole("button", { name: "Connect to a record" }).click();
        await page.waitForURL(`${server.url}/sample-app/`);
        await page.getByRole("button", { name: "Connect to a record" }).click();
        await page.waitForURL(`${server.url}/sign-in**`);
    });

    test("says what it needs where there is no JavaScript", async () => {
        const { page } = await person(browser, { javaScriptEnabled: false });
        await page.goto(`${server.url}/sample-app/`);
        assert.match(await page.locator("main").innerText(), /needs JavaScript/);
    });
});
