// Signing in and consenting without a browser: pages are fetched, their forms filled in and posted, cookies kept.

/** The forms of a page, each with its address, its fields and its buttons, in their order. */
export function formsOf(html, base) {
    return [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)].map(([, head, body]) => {
        const fields = [];
        for (const [, name, inner] of body.matchAll(/<(input|button|select|textarea)\b([^>]*)>/g)) {
            const field = attributes(inner);
            fields.push({ element: name, ...field });
        }
        const options = [...body.matchAll(/<option\b([^>]*)>/g)].map(([, inner]) => attributes(inner));
        const { action = "", method = "get" } = attributes(head);
        return { action: new URL(action || base, base).href, method: method.toLowerCase(), fields, options };
    });
}

function attributes(text) {
    const found = {};
    for (const [, name, value = ""] of text.matchAll(/([a-z-]+)(?:="([^"]*)")?/g)) {
        found[name] = unescaped(value);
    }
    return found;
}

function unescaped(text) {
    const named = { amp: "&", lt: "<", gt: ">", quot: '"' };
    return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (all, hex, decimal, name) => {
        if (hex || decimal) {
            return String.fromCodePoint(parseInt(hex || decimal, hex ? 16 : 10));
        }
        return named[name] ?? all;
    });
}

/** Somebody with a jar for cookies, who follows redirects within one server. */
export class Visitor {
    cookies = new Map();

    /** Fetches `address`, and goes where it leads while that is on the same server. Gives the last answer, with its text. */
    async go(address, options = {}) {
        let [target, request] = [new URL(address), options];
        const home = target.origin;
        for (let hops = 0; hops < 10; hops += 1) {
            const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
            const headers = { ...request.headers, ...(cookie ? { Cookie: cookie } : {}) };
            const answer = await fetch(target, { ...request, headers, redirect: "manual" });
            for (const line of answer.headers.getSetCookie()) {
                const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
                if (value === "" || /max-age=0/i.test(line)) {
                    this.cookies.delete(name);
                } else {
                    this.cookies.set(name, value);
                }
            }
            const location = answer.headers.get("location");
            if (answer.status < 300 || answer.status >= 400 || !location) {
                return { status: answer.status, url: target.href, text: await answer.text(), headers: answer.headers };
            }
            target = new URL(location, target);
            if (target.origin !== home || request.stopAt?.(target)) {
                return { status: answer.status, url: target.href, text: "", headers: answer.headers, left: true };
            }
            request = { stopAt: request.stopAt };
        }
        throw new Error(`${address} leads in circles`);
    }

    /** Fills in a form as a person would: what it says already stays, `values` is put in, and the button `pressed` is pressed. */
    async submit(form, values, pressed, options = {}) {
        const filled = new URLSearchParams();
        for (const field of form.fields.filter((field) => field.name && field.element !== "button")) {
            const isChoice = ["checkbox", "radio"].includes(field.type);
            if (field.name in values || field.type === "submit" || (isChoice && !("checked" in field))) {
                continue;
            }
            filled.append(field.name, field.value ?? (isChoice ? "on" : ""));
        }
        for (const [name, value] of Object.entries(values)) {
            for (const one of [value].flat()) {
                filled.append(name, one);
            }
        }
        if (pressed) {
            filled.append(...pressed);
        }
        const origin = new URL(form.action).origin;
        const headers = { "Content-Type": "application/x-www-form-urlencoded", Origin: origin, "Sec-Fetch-Site": "same-origin" };
        return this.go(form.action, { ...options, method: "POST", body: filled.toString(), headers });
    }
}

/** Goes to `address` (an authorization request), signs in, allows all that is asked, and gives where the server sends them then. */
export async function allow(address, { email, password, record }, stopAt) {
    const visitor = new Visitor();
    let page = await visitor.go(address, { stopAt });
    for (let steps = 0; steps < 6 && !page.left; steps += 1) {
        const forms = formsOf(page.text, page.url);
        const has = (name) => forms.find((form) => form.fields.some((field) => field.name === name));
        if (has("password")) {
            page = await visitor.submit(has("password"), { email, password }, null, { stopAt });
        } else if (has("decision")) {
            const form = has("decision");
            const scopes = form.fields.filter((field) => field.name === "scope").map((field) => field.value);
            const offers = [...form.fields.filter((field) => field.name === "record"), ...form.options];
            const chosen = offers.length > 0 && record ? { record: offers.map((o) => o.value).find((v) => v.endsWith(record)) } : {};
            page = await visitor.submit(form, { scope: scopes, ...chosen }, ["decision", "allow"], { stopAt });
        } else {
            throw new Error(`no form to go on with at ${page.url} (${page.status}):\n${page.text.slice(0, 2000)}`);
        }
    }
    return { address: page.url, visitor };
}
