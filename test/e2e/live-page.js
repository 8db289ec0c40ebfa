// node live-page.js EDGE FANOUT FOLDER: opens the live pages of two admin ports in Chromium, and says on stdout
// "ready" when both show their first numbers; it ends with code 0 once the edge's show a connection and messages,
// which the test brings about then.
import { join } from "node:path";
import { chromium } from "playwright-core";

const [edge, fanout, folder] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const errors = [];

async function open(url) {
  const page = await browser.newPage({ viewport: { width: 1200, height: 800 } });
  page.setDefaultTimeout(20_000);
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  await page.goto(`${url}/live/`);
  return page;
}

const tile = (page, title) => page.locator(".tile", { has: page.getByText(title, { exact: true }) });

/** Waits until a tile's number is as wanted, and returns how its curve is drawn. */
async function shows(page, title, wanted) {
  await tile(page, title).locator("b", { hasText: wanted }).waitFor();
  return tile(page, title).locator(".line").getAttribute("d");
}

let failure = "";
const pages = [];
try {
  pages.push(await open(edge), await open(fanout));
  const [first, second] = pages;
  const flat = await shows(first, "Connections", /^0 $/);
  await shows(second, "Edge streams", /^1 $/);
  await second.locator("#grid i.own").nth(63).waitFor();
  console.log("ready");

  const curve = await shows(first, "Connections", /^1 $/);
  if (curve === flat || !curve.includes("L")) throw new Error(`the curve was ${flat} and is ${curve}`);
  await shows(first, "Messages out", /^(?!0 )[\d.]+K? \/s$/);
  await shows(first, "Bot to socket", /^(?!0 )[\d.]+K? ms$/);
  await shows(second, "Events to edges", /^(?!0 )[\d.]+K? \/s$/);
  await first.locator(".bar", { hasText: "namespace" }).waitFor();
  await first.screenshot({ path: join(folder, "live-edge.png") });
  await second.screenshot({ path: join(folder, "live-fanout.png") });
  if (errors.length) throw new Error(errors.join("\n"));
} catch (error) {
  failure = `${error.stack}\n${errors.join("\n")}`;
} finally {
  await browser.close();
}
if (failure) {
  console.error(failure);
  process.exit(1);
}
