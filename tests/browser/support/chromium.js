// Chromium, headless, with what every test wants to know of a page: its errors, its width, what axe finds.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import assert from "node:assert/strict";
import { test as plainTest } from "node:test";

import { chromium } from "playwright-core";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const PHONE = { width: 360, height: 740 };
export const DESK = { width: 1280, height: 900 };

/** Starts the browser; `stop` it at the end. Without the switches it asks for hosts on the internet by itself. */
export function launch() {
    const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync"];
    return chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", headless: true, args });
}

const open = new Set();

/** A test with windows, which are closed at its end. When it fails, it tells what was on the screen, and keeps a picture. */
export function test(name, work) {
    return plainTest(name, async (context) => {
        try {
            await work(context);
        } catch (error) {
            for (const page of [...open].flatMap((window) => window.pages())) {
                const path = join(process.env.EMBERWELL_SCREENSHOTS || ".", `failed-${name.replace(/\W+/g, "-").slice(0, 60)}.png`);
                const text = await page.locator("body").innerText({ timeout: 1000 }).catch(() => "");
                await page.screenshot({ path, fullPage: true }).catch(() => null);
                error.message += `\n\non the screen, at ${page.url()} (${path}):\n${text.slice(0, 1500)}`;
            }
            throw error;
        } finally {
            await Promise.all([...open].map((window) => window.close()));
            open.clear();
        }
    });
}

/** A window of its own, as of another person: no cookies, a phone unless said otherwise. */
export async function person(browser, options = {}) {
    const context = await browser.newContext({ viewport: PHONE, locale: "en-GB", timezoneId: "Europe/Berlin", ...options });
    context.setDefaultTimeout(15_000);
    open.add(context);
    const page = await context.newPage();
    const wrong = [];
    page.on("pageerror", (error) => wrong.push(`${page.url()}: ${error.message}`));
    page.on("console", (message) => {
        if (message.type() === "error") {
            wrong.push(`${page.url()}: ${message.text()}`);
        }
    });
    return { context, page, wrong };
}

/** Checks the page that is shown as every page is checked, on a phone and on a desk, and keeps a picture of both. */
export async function inspect(page, name, { pictures = true } = {}) {
    const found = [];
    for (const [kind, size] of [["phone", PHONE], ["desk", DESK]]) {
        await page.setViewportSize(size);
        const wide = await page.evaluate(() => {
            const limit = document.documentElement.clientWidth;
            const root = document.documentElement.scrollWidth > limit;
            const wide = [...document.body.querySelectorAll("*")].filter((one) => one.getBoundingClientRect().right > limit + 1);
            return root ? wide.map((one) => `${one.tagName} ${one.className} ${one.textContent.slice(0, 40)}`).slice(-3) : null;
        });
        if (wide) {
            found.push(`${name}: scrolls sideways at ${size.width}: ${wide.join("; ")}`);
        }
        if (pictures && process.env.EMBERWELL_SCREENSHOTS) {
            await page.screenshot({ path: join(process.env.EMBERWELL_SCREENSHOTS, `${name}-${kind}.png`), fullPage: true });
        }
    }
    await page.setViewportSize(PHONE);
    const headings = await page.locator("h1").count();
    if (headings !== 1) {
        found.push(`${name}: has ${headings} h1`);
    }
    found.push(...(await axe(page)).map((finding) => `${name}: ${finding}`));
    assert.deepEqual(found, []);
}

/** What axe calls serious or critical on the page. The policy of the page lets no script in; the tool that drives the browser may. */
async function axe(page) {
    await page.evaluate(AXE);
    const violations = await page.evaluate(async () => {
        const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
        return violations.map(({ id, impact, help, nodes }) => ({ id, impact, help, where: nodes.map((node) => node.html.slice(0, 160)) }));
    });
    const grave = violations.filter((one) => ["serious", "critical"].includes(one.impact));
    return grave.map((one) => `${one.impact}: ${one.id}: ${one.help}: ${one.where.slice(0, 3).join(" | ")}`);
}

/** Fills in the page for signing in, which must be shown. */
export async function signIn(page, email, password) {
    await page.getByLabel(/e-?mail/i).fill(email);
    await page.getByLabel("Password", { exact: false }).first().fill(password);
    await page.locator("form:has([name=password]) button[type=submit], form:has([name=password]) button:not([type])").first().click();
}

/** Presses Allow on the page for consent. */
export async function allow(page) {
    await page.locator('button[name="decision"][value="allow"]').click();
}

export async function deny(page) {
    await page.locator('button[name="decision"][value="deny"]').click();
}

/** Decides on the page for consent: chooses `record`, clears the boxes of the scopes `without`, allows unless told otherwise. */
export async function decide(page, { record, without = [], decision = "allow" } = {}) {
    if (record) {
        const select = page.locator("select[name=record]");
        if ((await select.count()) > 0) {
            const values = await select.locator("option").evaluateAll((options) => options.map((option) => option.value));
            await select.selectOption(values.find((value) => value.endsWith(record)));
        } else {
            await page.locator(`input[name=record][value$="${record}"]`).check();
        }
    }
    for (const scope of without) {
        await page.locator(`input[name=scope][value="${scope}"]`).uncheck();
    }
    await (decision === "allow" ? allow(page) : deny(page));
}
