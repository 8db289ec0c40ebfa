// node player-page.js URL FOLDER: opens the web player in Chromium, skips a track, pauses, and leaves
// pictures of it in the folder. It ends with code 0 when the page did what a listener expects.
import { join } from "node:path";
import { chromium } from "playwright-core";

const [url, folder] = process.argv.slice(2);
const within = 20_000; // ms for each step
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });

/** Opens the page in a window of that size; whatever the page complains of is an error. */
async function open(viewport, complaints) {
  const page = await browser.newPage({ viewport, colorScheme: "dark" });
  page.setDefaultTimeout(within);
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(url);
  return page;
}

/** Takes a picture of the page once nothing on it moves any more. */
async function picture(page, name) {
  await page.waitForFunction(() => document.getAnimations().every((a) => a.playState !== "running"));
  await page.screenshot({ path: join(folder, name) });
}

const complaints = [];
let failure = "";
const page = await open({ width: 1440, height: 900 }, complaints);
try {
  const title = page.getByTestId("title");
  const current = () => title.evaluate((e) => e.textContent);
  const becomes = (expression, arg) => page.waitForFunction(expression, arg);

  await page.locator('[data-testid="connection"][data-state="connected"]').waitFor();
  await becomes(() => document.querySelector('[data-testid="stage"]').dataset.playing === "true");
  await page.getByTestId("transport").filter({ hasText: "websocket" }).waitFor();
  const first = await current();
  console.log(`playing ${first}`);

  await page.getByTestId("next").click();
  await becomes((was) => document.querySelector('[data-testid="title"]').textContent !== was, first);
  console.log(`then ${await current()}`);
  await picture(page, "web-player.png");

  await page.getByTestId("toggle").click();
  await becomes(() => document.querySelector('[data-testid="toggle"]').ariaLabel === "Play");
  const paused = await page.getByTestId("elapsed").textContent();
  await becomes(() => document.querySelector("#label").textContent === "Paused");
  console.log(`paused at ${paused}`);
  await picture(page, "web-player-paused.png");

  const phone = await open({ width: 390, height: 844 }, complaints);
  await phone.locator('[data-testid="stage"][data-playing="false"]').waitFor();
  await phone.getByTestId("queue-item").first().waitFor();
  await picture(phone, "web-player-phone.png");

  // Another listener resumes, and this page hears of it.
  await phone.getByTestId("toggle").click();
  await page.getByRole("button", { name: "Pause" }).waitFor();
  console.log("resumed by the phone");
} catch (error) {
  failure = error.stack;
  await page.screenshot({ path: join(folder, "web-player-failed.png") }).catch(() => {});
}
await browser.close();
if (failure || complaints.length) {
  console.error([failure, ...complaints].filter(Boolean).join("\n"));
  process.exitCode = 1;
}
