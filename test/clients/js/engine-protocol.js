// Engine.IO v4 by hand, against SUITE=eio-protocol: pings every 300 ms, 200 ms for the pong.
import { test, testInBrowser, equal, ok, passed } from "./runner.js";
import { ask, openPolling, polling, websocket, Wire } from "./wire.js";

const base = (url) => `${url}/engine.io/`;
const gone = [400, '{"code":1,"message":"Session ID unknown"}'];

/** A session on WebSocket, its handshake read. */
async function connect(t, options) {
  const wire = t.use(new Wire(`${base(t.url)}?${websocket}`, options));
  const open = await wire.next();
  equal(open[0], "0", "the first packet's type");
  return { wire, handshake: JSON.parse(open.slice(1)) };
}

/** A polling session whose WebSocket has been probed. */
async function probe(t) {
  const session = await openPolling(base(t.url));
  const wire = t.use(new Wire(session.upgrade, { pong: true }));
  await wire.opened;
  wire.send("2probe");
  await wire.expect("3probe");
  return { ...session, wire };
}

const settings = (upgrades) => ({ upgrades, pingInterval: 300, pingTimeout: 200, maxPayload: 1_000_000 });

test("a handshake over polling", async ({ url }) => {
  const { sid, ...rest } = (await openPolling(base(url))).handshake;
  equal(typeof sid, "string", "sid");
  equal(rest, settings(["websocket"]));
});

test("a handshake over WebSocket offers no upgrade", async (t) => {
  const { sid, ...rest } = (await connect(t)).handshake;
  equal(typeof sid, "string", "sid");
  equal(rest, settings([]));
});

for (const [query, method, code, message] of [
  ["transport=polling", "GET", 5, "Unsupported protocol version"],
  ["EIO=abc&transport=polling", "GET", 5, "Unsupported protocol version"],
  ["EIO=3&transport=polling", "GET", 5, "Unsupported protocol version"],
  ["EIO=4", "GET", 0, "Transport unknown"],
  ["EIO=4&transport=abc", "GET", 0, "Transport unknown"],
  [polling, "POST", 2, "Bad handshake method"],
  [polling, "PUT", 2, "Bad handshake method"],
  [`${polling}&sid=abc`, "GET", 1, "Session ID unknown"],
  [websocket, "GET", 3, "Bad request"],
]) {
  test(`refused: ${method} ${query}`, async ({ url }) => {
    equal(await ask(`${base(url)}?${query}`, { method }), [400, `{"code":${code},"message":"${message}"}`]);
  });
}

for (const query of ["transport=websocket", "EIO=abc&transport=websocket", "EIO=4", "EIO=4&transport=abc", `${websocket}&sid=abc`]) {
  test(`refused: WebSocket ${query}`, async ({ url }) => {
    await new Wire(`${base(url)}?${query}`).closed;
  });
}

for (const [what, body] of [
  ["one text", "4hello"],
  ["several texts", "4test1\x1e4test2\x1e4test3"],
  ["text and bytes", "4hello\x1ebAQIDBA=="],
]) {
  test(`${what} over polling`, async ({ url }) => {
    const { at } = await openPolling(base(url));
    equal(await ask(at, { body }), [200, "ok"]);
    equal(await ask(at), [200, body]);
  });
}

test("a packet of no type ends a polling session", async ({ url }) => {
  const { at } = await openPolling(base(url));
  equal(await ask(at, { body: "abc" }), [200, "ok"]);
  equal(await ask(at), gone);
});

test("two polls at once end the session", async ({ url }) => {
  const { at } = await openPolling(base(url));
  const answers = await Promise.all([ask(at), ask(`${at}&t=burst`)]);
  equal(answers.sort(), [[200, "1"], [400, ""]]);
  equal(await ask(at), gone);
});

test("a poll given up ends the session", async ({ url }) => {
  const { at } = await openPolling(base(url));
  const controller = new AbortController();
  const poll = ask(at, { signal: controller.signal }).catch(() => "given up");
  await passed(150); // for the poll to be there, and before the ping would answer it
  controller.abort();
  equal(await poll, "given up");
  equal((await ask(at))[0], 400);
});

test("text and bytes over WebSocket", async (t) => {
  const { wire } = await connect(t, { pong: true });
  wire.send("4hello", Uint8Array.of(1, 2, 3, 4), "4", "bAQIDBA==");
  await wire.expect("4hello", Uint8Array.of(1, 2, 3, 4), "4", Uint8Array.of(1, 2, 3, 4));
});

for (const bad of ["abc", "", "7"]) {
  test(`the packet ${JSON.stringify(bad)} closes a WebSocket`, async (t) => {
    const { wire } = await connect(t);
    wire.send(bad);
    await wire.closed;
  });
}

test("heartbeats over polling", async ({ url }) => {
  const { at } = await openPolling(base(url));
  for (let i = 0; i < 3; i++) {
    equal(await ask(at), [200, "2"]);
    equal(await ask(at, { body: "3" }), [200, "ok"]);
  }
});

test("a polling session without pongs ends", async ({ url }) => {
  const { at } = await openPolling(base(url));
  await passed(560);
  equal(await ask(at), gone);
});

test("heartbeats over WebSocket", async (t) => {
  const { wire } = await connect(t);
  for (let i = 0; i < 3; i++) {
    await wire.expect("2");
    wire.send("3");
  }
});

test("a WebSocket without pongs is closed", async (t) => {
  const began = performance.now();
  const { wire } = await connect(t);
  await wire.expect("2");
  await wire.closed;
  ok(performance.now() - began >= 480, "closed too early");
});

test("a close releases the poll that waits", async ({ url }) => {
  const { at } = await openPolling(base(url));
  const poll = ask(at);
  await passed(20); // for the poll to be there
  equal(await ask(at, { body: "1" }), [200, "ok"]);
  equal(await poll, [200, "6"]);
  equal(await ask(at), gone);
});

test("a close over WebSocket", async (t) => {
  const { wire } = await connect(t);
  wire.send("1");
  await wire.closed;
});

test("an upgrade", async (t) => {
  const { wire, at } = await probe(t);
  equal(await ask(at), [200, "6"]);
  wire.send("5", "4hello");
  await wire.expect("4hello");
});

test("polling is refused after an upgrade", async (t) => {
  const { wire, at } = await probe(t);
  wire.send("5", "4upgraded");
  await wire.expect("4upgraded");
  equal(await ask(at), [400, '{"code":3,"message":"Bad request"}']);
  wire.send("4hello");
  await wire.expect("4hello");
});

test("a second WebSocket is closed after an upgrade", async (t) => {
  const { wire, upgrade } = await probe(t);
  wire.send("5", "4upgraded");
  await wire.expect("4upgraded");
  await t.use(new Wire(upgrade)).closed;
  wire.send("4hello");
  await wire.expect("4hello");
});

testInBrowser("a page of another origin may read, and send what needs a preflight", async ({ url }) => {
  const elsewhere = url.replace("127.0.0.1", "localhost");
  ok(new URL(elsewhere).origin !== location.origin, "the same origin");
  const { at } = await openPolling(base(elsewhere));
  equal(await ask(at, { body: "4hello", headers: { "X-Custom": "1" } }), [200, "ok"]);
  equal(await ask(at), [200, "4hello"]);
});
