// What a person does on the pages, from signing in to taking an app's access away.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { decide, inspect, launch, person, signIn, test } from "./support/chromium.js";
import { get } from "./support/people.js";
import { JONAS, NADIA, PASSWORD, demo } from "./support/server.js";

describe("a person's way", () => {
    let server, browser;

    before(async () => {
        // Passkeys are for names of hosts, and an address is none.
        server = await demo({ host: "localhost" });
        browser = await launch();
    });
    after(async () => {
        await browser?.close();
        await server?.stop();
    });

    async function signedIn(email, options = {}) {
        const someone = await person(browser, options);
        await someone.page.goto(`${server.url}/sign-in?next=/apps`);
        await signIn(someone.page, email, PASSWORD);
        await someone.page.waitForURL(`${server.url}/apps`);
        return someone;
    }

    /** Connects the sample app, and gives what it got. */
    async function connect(page, choice) {
        await page.goto(`${server.url}/sample-app/`);
        await page.getByRole("button", { name: "Connect to a record" }).click();
        await page.locator("button[name=decision]").first().waitFor();
        await decide(page, choice);
        await page.waitForURL(`${server.url}/sample-app/`);
        await page.locator("#status, #error").filter({ hasText: /\w/ }).first().waitFor();
        return page.evaluate(() => JSON.parse(sessionStorage.getItem("sample-app.access")));
    }

    test("signs in by password, and out again", async () => {
        const { page, context } = await person(browser);
        await page.goto(`${server.url}/apps`);
        await page.waitForURL(`${server.url}/sign-in?next=**`);
        await inspect(page, "sign-in");
        await signIn(page, NADIA, PASSWORD);
        await page.waitForURL(`${server.url}/apps`);
        const cookies = await context.cookies();
        assert.ok(cookies.every((cookie) => cookie.httpOnly && cookie.sameSite === "Lax"), JSON.stringify(cookies));

        await page.getByRole("button", { name: "Sign out" }).click();
        await page.goto(`${server.url}/apps`);
        await page.waitForURL(`${server.url}/sign-in?next=**`);
    });

    test("is told of a wrong password beside the form, in the same words as of an unknown address", async () => {
        const { page } = await person(browser);
        const told = [];
        for (const [email, password] of [[NADIA, "not my password"], ["nobody@family.example", PASSWORD]]) {
            await page.goto(`${server.url}/sign-in`);
            await signIn(page, email, password);
            const alert = page.getByRole("alert").filter({ hasText: /\w/ });
            await alert.waitFor();
            told.push(await alert.innerText());
            assert.equal(await page.getByLabel(/email/i).inputValue(), email, "what was typed stays");
            assert.equal(await page.getByLabel("Password").inputValue(), "");
        }
        await inspect(page, "sign-in-wrong");
        assert.equal(told[0], told[1]);
        assert.ok(told[0].length > 10);
    });

    test("signs in, consents and signs out without JavaScript", async () => {
        const { page } = await signedIn(NADIA, { javaScriptEnabled: false });
        const asking = new URLSearchParams({
            response_type: "code", client_id: "sample-app", redirect_uri: `${server.url}/sample-app/`, state: "plain",
            scope: "launch/patient patient/Patient.r", aud: server.fhir,
            code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", code_challenge_method: "S256",
        });
        await page.goto(`${server.url}/auth/authorize?${asking}`);
        await decide(page, { record: "theo" });
        await page.waitForURL(`${server.url}/sample-app/?**`);
        assert.match(page.url(), /[?&]code=/);

        await page.goto(`${server.url}/account`);
        await page.getByRole("button", { name: "Sign out" }).click();
        await page.goto(`${server.url}/account`);
        await page.waitForURL(`${server.url}/sign-in?next=**`);
    });

    test("gives an app a part of what it asks for", async () => {
        const { page } = await signedIn(NADIA);
        const access = await connect(page, { record: "mila", without: ["patient/Patient.r", "offline_access"] });

        const granted = access.scope.split(" ");
        assert.ok(!granted.includes("patient/Patient.r") && !granted.includes("offline_access"), access.scope);
        // Patients can be asked for, since fhirUser lets the app read who signed in; this one is not among them.
        assert.equal((await get(server, access.accessToken, "Patient/mila")).status, 404);
        assert.equal((await get(server, access.accessToken, "Patient/nadia")).status, 200);
        assert.equal((await get(server, access.accessToken, "Observation?patient=mila")).status, 200);
        assert.equal((await get(server, access.accessToken, "Condition?patient=mila")).status, 403);
        assert.equal(access.refreshToken, undefined);
    });

    test("denies, and the app gets nothing", async () => {
        const { page } = await signedIn(NADIA);
        const access = await connect(page, { record: "mila", decision: "deny" });

        assert.equal(access, null);
        await page.goto(`${server.url}/apps`);
    });

    test("chooses among the records that are theirs to see, and no others", async () => {
        const { page } = await signedIn(JONAS);
        await page.goto(`${server.url}/sample-app/`);
        await page.getByRole("button", { name: "Connect to a record" }).click();
        await page.locator("button[name=decision]").first().waitFor();
        await inspect(page, "record-picker");
        const shown = await page.locator("main").innerText();
        for (const name of ["Jonas Okoye-Lind", "Mila Okoye-Lind", "Theo Okoye-Lind"]) {
            assert.ok(shown.includes(name), `${name} is not offered: ${shown}`);
        }
        assert.ok(!shown.includes("Nadia Okoye-Lind"), shown);
        await decide(page, { record: "theo" });
        await page.getByRole("heading", { name: "Theo Okoye-Lind" }).waitFor();
    });

    test("takes an app's access away, at once", async () => {
        const { page } = await signedIn(JONAS);
        const access = await connect(page, { record: "jonas" });
        assert.equal((await get(server, access.accessToken, "Patient/jonas")).status, 200);

        await page.goto(`${server.url}/apps`);
        await page.getByText("Vital signs, a sample app").first().waitFor();
        await inspect(page, "apps");
        await page.locator("form", { has: page.locator("input[name=client_id][value=sample-app]") })
            .getByRole("button", { name: "Remove access" }).first().click();
        assert.equal((await get(server, access.accessToken, "Patient/jonas")).status, 401);
        await inspect(page, "apps-after");

        // And the app says so in plain words.
        await page.goto(`${server.url}/sample-app/`);
        await page.getByRole("alert").getByText("The access has ended").waitFor();
    });

    test("opens an app from the list of apps", async () => {
        const { page } = await signedIn(NADIA);
        await connect(page, { record: "nadia" });
        await page.evaluate(() => sessionStorage.clear());
        await page.goto(`${server.url}/apps`);
        await page.locator("form", { has: page.locator("input[name=record][value=nadia]") })
            .getByRole("button", { name: "Open" }).click();
        // An app on the person's own machine can't show who it is, so that it is asked for each time.
        await page.locator("button[name=decision]").first().waitFor();
        assert.match(await page.locator("main").innerText(), /You allowed this before/);
        assert.equal(await page.locator("[name=record]:not([type=hidden])").count(), 0, "the list says which record");
        await inspect(page, "consent-again");
        await decide(page);
        await page.getByRole("heading", { name: "Nadia Okoye-Lind" }).waitFor();
    });

    test("makes a passkey, and signs in by it without a password", async () => {
        const { page, context, wrong } = await signedIn(NADIA);
        const devtools = await context.newCDPSession(page);
        await devtools.send("WebAuthn.enable");
        const options = { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true };
        const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", { options });

        await page.goto(`${server.url}/account`);
        await page.getByRole("link", { name: "Add a passkey" }).click();
        await page.getByLabel("Name").fill("Test phone");
        await inspect(page, "passkey-add");
        await page.getByRole("button", { name: "Add a passkey" }).click();
        await page.waitForURL(`${server.url}/account`);
        await page.getByText("Test phone").first().waitFor();
        await inspect(page, "account-with-passkey");
        const { credentials } = await devtools.send("WebAuthn.getCredentials", { authenticatorId });
        assert.equal(credentials.length, 1);
        assert.equal(credentials[0].rpId, "localhost");
        await page.getByRole("button", { name: "Sign out" }).click();

        await page.goto(`${server.url}/sign-in?next=/account`);
        await inspect(page, "sign-in-passkey");
        await page.getByRole("button", { name: "Use a passkey" }).click();
        await page.waitForURL(`${server.url}/account`);
        assert.match(await page.locator("header").innerText(), /Nadia/);
        assert.deepEqual(wrong, []);
    });

    test("registers an app and tries it, while others can't before the operator approves", async () => {
        const maker = await signedIn(JONAS);
        await maker.page.goto(`${server.url}/developer`);
        await inspect(maker.page, "developer");
        await maker.page.getByRole("link", { name: "Register an app" }).click();
        await maker.page.getByLabel("Name", { exact: true }).fill("Growth of Jonas");
        await maker.page.getByLabel("Where people come back to it").fill("http://evil.example/done");
        await maker.page.getByLabel("Scope 1", { exact: true }).fill("patient/Observation.rs");
        await maker.page.getByLabel("Scope 1: why?").fill("to draw curves");
        await maker.page.getByRole("button", { name: "Register" }).click();
        await maker.page.getByText("Please look at the marked field").waitFor();
        await inspect(maker.page, "developer-mistake");
        assert.equal(await maker.page.getByLabel("Scope 1: why?").inputValue(), "to draw curves", "what was typed stays");
        await maker.page.getByLabel("Where people come back to it").fill("http://127.0.0.1:9/done");
        await maker.page.getByRole("button", { name: "Register" }).click();
        const client = await maker.page.locator("#client-id").innerText();
        await inspect(maker.page, "developer-app");

        const asking = `${server.url}/auth/authorize?${new URLSearchParams({
            response_type: "code", client_id: client, redirect_uri: "http://127.0.0.1:9/done", state: "s",
            scope: "launch/patient patient/Observation.rs", aud: server.fhir,
            code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", code_challenge_method: "S256",
        })}`;
        await maker.page.goto(asking);
        await maker.page.getByText("This app is being tried out.").waitFor();
        await inspect(maker.page, "consent-sandbox");

        const other = await signedIn(NADIA);
        await other.page.goto(asking).catch(() => null);
        assert.equal(await other.page.locator("button[name=decision]").count(), 0, other.page.url());

        const operator = await signedIn("operator@clinic.example");
        await operator.page.goto(`${server.url}/developer/review`);
        await inspect(operator.page, "developer-review");
        const card = operator.page.locator("section", { hasText: "Growth of Jonas" });
        await card.getByRole("button", { name: "Approve" }).click();
        await card.getByText("approved").waitFor();
        await other.page.goto(asking);
        await other.page.locator("button[name=decision]").first().waitFor();
    });

    test("finds the pages behind the account fit, too", async () => {
        const { page, wrong } = await signedIn(JONAS);
        await page.goto(`${server.url}/account`);
        await page.getByRole("link", { name: "Change the password" }).click();
        await inspect(page, "account-password");
        await page.goto(`${server.url}/account`);
        await page.getByRole("button", { name: "Set up an authenticator app" }).click();
        await page.getByLabel(/code/i).first().waitFor();
        await inspect(page, "account-authenticator");
        assert.deepEqual(wrong, []);
    });

    for (const [path, name] of [["/account", "account-plain"], ["/developer/new", "developer-new"], ["/device", "device"], ["/", "front"]]) {
        test(`finds ${path} fit for a phone, a keyboard and a screen reader`, async () => {
            const { page, wrong } = await signedIn(JONAS);
            const answer = await page.goto(`${server.url}${path}`);
            assert.equal(answer.status(), 200);
            await inspect(page, name);
            assert.deepEqual(wrong, []);
        });
    }

    test("is told on a page what is wrong with an app's request, and is sent nowhere", async () => {
        const { page } = await signedIn(NADIA);
        const request = (changes) => `${server.url}/auth/authorize?${new URLSearchParams({
            response_type: "code", client_id: "sample-app", redirect_uri: `${server.url}/sample-app/`, state: "s",
            scope: "launch/patient patient/Patient.r", aud: server.fhir,
            code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", code_challenge_method: "S256", ...changes,
        })}`;
        for (const [name, changes] of [
            ["unknown-app", { client_id: "nobody" }],
            ["other-redirect", { redirect_uri: "https://evil.example/" }],
        ]) {
            const answer = await page.goto(request(changes));
            assert.ok(answer.status() >= 400 && answer.status() < 500, `${name}: ${answer.status()}`);
            assert.ok(page.url().startsWith(`${server.url}/auth/authorize`), page.url());
            await inspect(page, `refused-${name}`);
        }
    });
});
