// node origin.js URL ALLOWED FOREIGN: pages of two origins turn to a server of a third in Chromium, with
// credentials; the server allows one of them. Says {name, ms, error?} for each test, a line of JSON.
import { chromium } from "playwright-core";

const [url, allowed, foreign] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });

/** Opens a page of an origin, connects there, and returns what came of it. */
async function connect(origin, options) {
  const context = await browser.newContext({ permissions: ["local-network-access"] }); // cookies of its own
  const tab = await context.newPage();
  await tab.goto(origin);
  const outcome = await tab.evaluate(async ([to, given]) => {
    const { io } = await import("/socket.io.esm.min.js");
    const socket = io(to, { reconnection: false, ...given });
    try {
      await new Promise((resolve, reject) => socket.once("connect", resolve).once("connect_error", reject));
    } catch (error) {
      return { refused: error.message };
    }
    const { engine } = socket.io;
    if (given.upgrade && engine.transport.name === "polling") await new Promise((resolve) => engine.once("upgrade", resolve));
    const answer = { transport: engine.transport.name, cookies: await socket.emitWithAck("cookies", engine.id) };
    socket.close();
    return answer;
  }, [url, options]);
  await context.close();
  return outcome;
}

async function test(name, origin, options, want) {
  const began = performance.now();
  const got = await connect(origin, options).catch((error) => ({ error: String(error.stack) }));
  const error = JSON.stringify(got) === JSON.stringify(want) ? undefined : `got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`;
  console.log(JSON.stringify({ name, ms: Math.round(performance.now() - began), error }));
}

// What cookies says: with how many of the session's requests the cookie came that its first answer had set.
const polling = ["polling"], websocket = ["websocket"];
await test("polling with credentials", allowed, { withCredentials: true, transports: polling }, { transport: "polling", cookies: { polling: "all" } });
await test("polling without credentials", allowed, { transports: polling }, { transport: "polling", cookies: { polling: "none" } });
await test("the upgrade brings the cookie", allowed, { withCredentials: true, upgrade: true }, { transport: "websocket", cookies: { polling: "all", websocket: "all" } });
await test("a foreign origin does not get in by polling", foreign, { withCredentials: true, transports: polling }, { refused: "xhr poll error" });
await test("a foreign origin does not get in without credentials", foreign, { transports: polling }, { refused: "xhr poll error" });
await test("a foreign origin does not get in by WebSocket", foreign, { withCredentials: true, transports: websocket }, { refused: "websocket error" });
await browser.close();
