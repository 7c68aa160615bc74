// A server of its own for each file of tests: the program with --demo on a new database.

import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

const BINARY = process.env.EMBERWELL_BINARY;
if (!BINARY) {
    throw new Error("EMBERWELL_BINARY names no program: start these tests by tests/browser/run");
}
const run = promisify(execFile);

/** The password that everybody of the demonstration has. */
export const PASSWORD = "quiet-river-lamp";
export const NADIA = "nadia@family.example";
export const JONAS = "jonas@family.example";
export const SOLBERG = "solberg@clinic.example";

/** A port that nobody listens on now. */
async function freePort() {
    const probe = createServer();
    await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
    const { port } = probe.address();
    await new Promise((resolve) => probe.close(resolve));
    return port;
}

/**
 * Starts a demonstration and gives what tests need of it: `url`, `fhir`, `client(..)`, `stop()`, `told()`. With `host` it calls itself
 * so, and listens on loopback all the same.
 */
export async function demo({ flags = [], host } = {}) {
    const port = host ? await freePort() : 0;
    const named = host ? ["--base-url", `http://${host}:${port}/fhir`] : [];
    const folder = await mkdtemp(join(tmpdir(), "emberwell-browser-"));
    const settings = ["--data", join(folder, "data")];
    const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("EMBERWELL_")));
    const options = { cwd: folder, env: environment };
    const child = spawn(BINARY, ["serve", "--demo", "--listen", `127.0.0.1:${port}`, ...named, ...settings, ...flags], options);
    const told = [];
    createInterface({ input: child.stderr }).on("line", (line) => told.push(line));
    const ended = new Promise((resolve) => child.once("exit", (code) => resolve(code)));
    const listening = await new Promise((resolve, reject) => {
        createInterface({ input: child.stdout }).on("line", (line) => {
            const found = /^listening on (\S+)$/.exec(line);
            if (found) {
                resolve(found[1]);
            }
        });
        ended.then((code) => reject(new Error(`the server ended with ${code}:\n${told.join("\n")}`)));
    });
    const url = host ? `http://${host}:${port}` : listening;
    const command = async (...parameters) => {
        const { stdout } = await run(BINARY, [...parameters, ...settings], options);
        return stdout;
    };
    return {
        url,
        fhir: `${url}/fhir`,
        told: () => told.join("\n"),
        command,
        /** Registers an app, with the arguments of `emberwell client add`. */
        client: async (...parameters) => JSON.parse(await command("client", "add", "--json", ...parameters)),
        stop: async () => {
            child.kill("SIGTERM");
            const code = await ended;
            await rm(folder, { recursive: true, force: true });
            if (code !== 0) {
                throw new Error(`the server ended with ${code}:\n${told.join("\n")}`);
            }
        },
    };
}
