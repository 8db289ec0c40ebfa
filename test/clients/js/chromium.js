// node chromium.js [URL MODULE]...: runs modules' tests in Chromium, each in a page of its own that seems
// to come from the server. Says {module, name, ms, error?} for each, a line of JSON.
import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const here = new URL(".", import.meta.url);
const files = "/pona-clients/"; // where the pages find what is in this folder
const dist = `${files}node_modules`;
const imports = {
  "engine.io-client": `${dist}/engine.io-client/dist/engine.io.esm.min.js`,
  "socket.io-client": `${dist}/socket.io-client/dist/socket.io.esm.min.js`,
};
const page = (module) => `<!doctype html>
<script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">
import { run } from "./runner.js";
await import("./${module}.js");
await run(location.origin, report);
finished();
</script>`;

async function fulfill(route) {
  const path = new URL(route.request().url()).pathname.slice(files.length);
  if (path.endsWith(".html")) return route.fulfill({ contentType: "text/html", body: page(path.slice(0, -".html".length)) });
  return route.fulfill({ contentType: "text/javascript", body: await readFile(new URL(path, here)) });
}

async function runIn(browser, url, module) {
  // With cookies and connections of its own. A page that is not fetched from this machine may not turn to it
  // without leave.
  const context = await browser.newContext({ permissions: ["local-network-access"] });
  const tab = await context.newPage();
  await context.route(`**${files}**`, fulfill);
  const say = (outcome) => console.log(JSON.stringify({ module, ...outcome }));
  await tab.exposeFunction("report", say);
  const finished = new Promise((resolve) => tab.exposeFunction("finished", resolve));
  tab.on("pageerror", (error) => say({ name: "no error of the page's own", ms: 0, error: error.stack }));
  await tab.goto(`${url}${files}${module}.html`);
  await finished;
  await context.close();
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const pairs = process.argv.slice(2);
while (pairs.length) await runIn(browser, ...pairs.splice(0, 2));
await browser.close();
