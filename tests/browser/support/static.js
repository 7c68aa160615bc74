// An app of somebody else's: files and unchanged libraries, served from an origin of its own.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL("..", import.meta.url));
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8" };

/** Serves the folder apps/NAME at `origin`, and single files of node_modules by `libraries`: { "/name.js": "package/file.js" }. */
export async function app(name, libraries, settings = {}) {
    const folder = join(HERE, "apps", name);
    const server = createServer(async (request, response) => {
        const path = new URL(request.url, "http://app").pathname;
        try {
            if (path === "/settings.js") {
                response.setHeader("Content-Type", TYPES[".js"]);
                response.end(`window.SETTINGS = ${JSON.stringify(settings)};`);
                return;
            }
            const file = libraries[path]
                ? join(HERE, "node_modules", libraries[path])
                : join(folder, normalize(path === "/" ? "/index.html" : path));
            const body = await readFile(file);
            response.setHeader("Content-Type", TYPES[extname(file)] || "application/octet-stream");
            response.end(body);
        } catch {
            response.statusCode = 404;
            response.end("not found");
        }
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const origin = `http://127.0.0.1:${server.address().port}`;
    return { origin, settings, stop: () => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); }) };
}
