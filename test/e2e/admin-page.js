// node admin-page.js PAGE EDGE OTHER FOLDER: opens the Socket.IO Admin UI in Chromium, connects it to one edge,
// and does to a stock client of the other edge what its buttons offer. It ends with code 0 when all of that
// could be seen at the client.
import { once } from "node:events";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { io } from "socket.io-client";

const [url, edge, other, folder] = process.argv.slice(2);
const user = "operator", password = "correct horse";
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
page.setDefaultTimeout(20_000);
const clients = [];

/** Connects a stock client, or fails as it does. */
async function connect(to, auth) {
  const socket = io(to, { auth, forceNew: true, reconnection: false });
  clients.push(socket);
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("connect_error", reject));
  return socket;
}

/** Waits for an event of the client, with its first argument. */
const hears = (socket, event) => once(socket, event, { signal: AbortSignal.timeout(20_000) }).then(([value]) => value);

function check(what, is) {
  if (!is) throw new Error(`not so: ${what}`);
  console.log(`${(performance.now() / 1000).toFixed(1)} s: ${what}`);
}

async function login(secret) {
  await page.getByLabel("Server URL").fill(edge);
  await page.getByLabel("Username").fill(user);
  await page.getByLabel("Password").fill(secret);
  await page.getByRole("button", { name: "Connect" }).click();
}

/** Goes to a view of the page without loading it anew. */
const view = (path) => page.evaluate((p) => { location.hash = p; }, path);

let failure = "";
try {
  const client = await connect(other);
  const before = [];
  client.onAny((...event) => before.push(event));

  await page.goto(url);
  await login("wrong");
  await page.getByText("Invalid credentials").waitFor();
  check("a wrong password is refused", true);
  await login(password);
  await page.getByLabel("Server URL").waitFor({ state: "hidden" });
  check("the password is taken", true);

  await view("#/servers/");
  await page.getByText("edge one").first().waitFor();
  await page.getByText("edge two").first().waitFor();
  check("both servers are shown", true);
  await page.screenshot({ path: join(folder, "admin-ui-servers.png") });

  await view("#/sockets/");
  const row = page.locator("tr", { hasText: client.id });
  await row.waitFor();
  check("the other edge's socket is shown", true);
  await page.screenshot({ path: join(folder, "admin-ui-sockets.png") });

  const session = await page.evaluate(() => Object.values(localStorage).find((v) => /^[0-9a-z]+\.[\w-]{43}$/.test(v)));
  const operator = await connect(`${other}/admin`, { sessionId: session });
  check("a session of one edge is known to the other", operator.connected);
  const forged = await connect(`${other}/admin`, { sessionId: "zzzzzz." + session.split(".")[1] }).then(() => false, (e) => e.message === "invalid credentials");
  check("a forged session is not", forged);

  const updates = [];
  operator.on("socket_updated", (update) => updates.push(update));
  const late = await connect(other); // begins with polling
  await page.locator("tr", { hasText: late.id }).filter({ hasText: "WebSocket" }).waitFor();
  check("a client that comes later is shown on the transport that it moves to", late.io.engine.transport.name === "websocket");
  while (!updates.some(({ id }) => id === late.id)) await hears(operator, "socket_updated");
  check("pages are told of its move", updates.some(({ id, nsp, transport }) => id === late.id && nsp === "/" && transport === "websocket"));

  await row.locator("td").first().click();
  await page.getByLabel("Join a room").fill("box office");
  await page.keyboard.press("Escape"); // closes what is offered
  await page.locator("form", { has: page.getByLabel("Join a room") }).locator("button[type=submit]").click();
  const seat = page.locator("tr", { hasText: "box office" });
  await seat.waitFor();
  const inRoom = hears(client, "to the room");
  operator.emit("emit", "/", "box office", "to the room", { n: 1 });
  check("join: the client is in the room", (await inRoom).n === 1);

  const left = once(operator, "room_left", { signal: AbortSignal.timeout(20_000) });
  await seat.getByRole("button").click();
  check("leave: pages are told", (await left).slice(0, 3).join() === ["/", "box office", client.id].join());
  const marker = hears(client, "to all");
  operator.emit("emit", "/", "box office", "to the room", { n: 2 });
  operator.emit("emit", "/", undefined, "to all", 3);
  check("an event for all comes", (await marker) === 3);
  check("leave: the room's does not", before.filter(([event]) => event === "to the room").length === 1);

  await view("#/sockets/");
  await page.waitForFunction(() => document.querySelectorAll("table").length === 1); // the views before have gone
  const gone = hears(client, "disconnect");
  await row.getByRole("button").click();
  check("disconnect: the client is told", (await gone) === "io server disconnect");
  await page.waitForFunction((id) => !document.body.textContent.includes(id), client.id);
  check("and it is shown no more", true);

  await page.reload();
  await page.getByLabel("Server URL").waitFor({ state: "hidden" });
  await view("#/servers/");
  await page.getByText("edge two").first().waitFor();
  check("a page that is loaded anew needs no password", true);
} catch (error) {
  failure = error.stack;
  await page.screenshot({ path: join(folder, "admin-ui-failed.png") });
} finally {
  clients.forEach((c) => c.disconnect());
  await browser.close();
}
if (failure) {
  console.error(failure);
  process.exit(1);
}
