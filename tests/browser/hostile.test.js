// What pages of others try with the browser of somebody who is signed in.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe } from "node:test";

import { decide, launch, person, signIn, test } from "./support/chromium.js";
import { NADIA, PASSWORD, demo } from "./support/server.js";

describe("another page", () => {
    let server, browser, evil, pageOf;

    before(async () => {
        server = await demo();
        browser = await launch();
        const pages = new Map();
        const host = createServer((request, response) => {
            response.setHeader("Content-Type", "text/html");
            response.end(pages.get(request.url.split("?")[0]) || "");
        });
        await new Promise((resolve) => host.listen(0, "127.0.0.1", resolve));
        evil = { origin: `http://127.0.0.1:${host.address().port}`, stop: () => { host.closeAllConnections(); host.close(); } };
        pageOf = (path, html) => {
            pages.set(path, `<!doctype html><title>x</title>${html}`);
            return `${evil.origin}${path}`;
        };
    });
    after(async () => {
        await browser?.close();
        evil?.stop();
        await server?.stop();
    });

    async function signedIn() {
        const someone = await person(browser);
        await someone.page.goto(`${server.url}/sign-in?next=/apps`);
        await signIn(someone.page, NADIA, PASSWORD);
        await someone.page.waitForURL(`${server.url}/apps`);
        return someone;
    }

    const asking = (changes = {}) => new URLSearchParams({
        response_type: "code", client_id: "sample-app", redirect_uri: `${server.url}/sample-app/`, state: "s",
        scope: "launch/patient patient/Patient.r", aud: server.fhir,
        code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", code_challenge_method: "S256", ...changes,
    });

    test("can't post a form in the person's name", async () => {
        const { page } = await signedIn();
        const csrf = await page.locator("input[name=csrf]").first().getAttribute("value");
        const forms = {
            "/sign-out": { csrf },
            "/apps": { csrf, client_id: "sample-app" },
            "/sign-in": { csrf, email: NADIA, password: PASSWORD },
        };
        for (const [action, fields] of Object.entries(forms)) {
            // Even with the value that is meant to stop this, known by some accident.
            const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`).join("");
            const form = `<form id="f" method="post" action="${server.url}${action}">${inputs}</form>`;
            await page.goto(pageOf(`/forged${action}`, form));
            const [answer] = await Promise.all([
                page.waitForResponse((answer) => answer.url().startsWith(server.url) && answer.request().method() === "POST"),
                page.evaluate(() => document.getElementById("f").submit()),
            ]);
            assert.ok(answer.status() >= 400 && answer.status() < 500, `${action}: ${answer.status()}`);
            await page.waitForURL(`${server.url}${action}`);
        }
        await page.goto(`${server.url}/apps`);
        assert.equal(page.url(), `${server.url}/apps`, "still signed in");
    });

    test("can't allow an app by a form of its own", async () => {
        const { page, context } = await signedIn();
        const got = await context.newPage();
        await got.goto(`${server.url}/auth/authorize?${asking()}`);
        const fields = await got.locator("form:has([name=decision]) input[type=hidden]").evaluateAll(
            (inputs) => inputs.map(({ name, value }) => [name, value]),
        );
        const action = await got.locator("form:has([name=decision])").evaluate((form) => form.action);
        const all = [...fields, ["record", "Patient/nadia"], ["scope", "patient/Patient.r"], ["decision", "allow"]];
        const inputs = all.map(([name, value]) => `<input name="${name}" value="${value}">`).join("");
        await page.goto(pageOf("/consent", `<form id="f" method="post" action="${action}">${inputs}</form>`));
        const [answer] = await Promise.all([
            page.waitForResponse((answer) => answer.url().startsWith(server.url) && answer.request().method() === "POST"),
            page.evaluate(() => document.getElementById("f").submit()),
        ]);
        assert.ok(answer.status() >= 400 && answer.status() < 500, String(answer.status()));
        assert.doesNotMatch(page.url(), /code=/);
    });

    test("can't show a page of the server within itself", async () => {
        const { page } = await signedIn();
        for (const path of ["/sign-in", "/apps", "/account", `/auth/authorize?${asking()}`, "/sample-app/"]) {
            await page.goto(pageOf("/frame", `<iframe id="f" src="${server.url}${path.replaceAll("&", "&amp;")}"></iframe>`));
            await page.waitForLoadState("load");
            const frame = page.frames().find((frame) => frame !== page.mainFrame());
            assert.ok(!frame.url().startsWith(server.url), `${path} is shown: ${frame.url()}`);
        }
    });

    test("can't read what the server knows of the person", async () => {
        const { page } = await signedIn();
        await page.goto(pageOf("/reader", ""));
        for (const path of ["/apps", "/account", "/fhir/Patient/nadia"]) {
            const read = await page.evaluate(
                (address) => fetch(address, { credentials: "include" }).then((answer) => answer.text(), () => null),
                `${server.url}${path}`,
            );
            assert.equal(read, null, path);
        }
    });

    test("can't send people elsewhere by way of signing in", async () => {
        const { page, context } = await person(browser);
        for (const next of [evil.origin, `//${new URL(evil.origin).host}/`, `/\\${new URL(evil.origin).host}`, "javascript:alert(1)"]) {
            await page.goto(`${server.url}/sign-in?${new URLSearchParams({ next })}`);
            await signIn(page, NADIA, PASSWORD);
            await page.waitForURL((url) => url.pathname !== "/sign-in");
            assert.equal(new URL(page.url()).origin, server.url, next);
            await context.clearCookies();
        }
    });

    test("the way back after allowing gives no second code", async () => {
        const { page } = await signedIn();
        await page.goto(`${server.url}/auth/authorize?${asking()}`);
        await decide(page, { record: "nadia" });
        await page.waitForURL(`${server.url}/sample-app/**`);
        await page.goBack({ waitUntil: "load" }).catch(() => null);
        // Either the question is asked anew, or it is said that it was answered; a code comes of a new decision only.
        assert.doesNotMatch(page.url(), /[?&]code=/);
        if (await page.locator("button[name=decision]").count()) {
            const codes = [];
            page.on("request", (request) => {
                const code = new URL(request.url()).searchParams.get("code");
                if (code) {
                    codes.push(code);
                }
            });
            await decide(page, { record: "nadia" });
            await page.waitForLoadState("load");
            assert.ok(codes.length <= 1, "one decision, one code");
        }
    });
});
