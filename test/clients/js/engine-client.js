// The official Engine.IO client against SUITE=eio-client: pings every 500 ms, 100 bytes at most.
import { Socket } from "engine.io-client";
import { test, testInBrowser, testInNode, equal, ok, once } from "./runner.js";

const greeting = "hi";
const five = Uint8Array.of(0, 1, 2, 3, 4);
const sentence = "пойду спать всем спокойной ночи";

/** An open client, and its messages but for the greeting, one by one. */
async function open(t, options) {
  const socket = t.use(new Socket(t.url, { path: "/engine.io/", ...options }));
  socket.binaryType = "arraybuffer";
  const came = [], awaited = [];
  socket.on("message", (data) => {
    if (data === greeting) return;
    const next = awaited.shift();
    next ? next(data) : came.push(data);
  });
  const next = () => (came.length ? Promise.resolve(came.shift()) : new Promise((resolve) => awaited.push(resolve)));
  await Promise.race([once(socket, "open"), once(socket, "error").then(([error]) => Promise.reject(error))]);
  return { socket, next };
}

/** The same once it is on WebSocket. */
async function openUpgraded(t, options) {
  const client = await open(t, options);
  await once(client.socket, "upgrade");
  return client;
}

const transports = [
  ["polling", (t, o) => open(t, { ...o, transports: ["polling"] })],
  ["WebSocket", (t, o) => open(t, { ...o, transports: ["websocket"] })],
  ["an upgrade", openUpgraded],
];

test("the greeting is the first message", async (t) => {
  const socket = t.use(new Socket(t.url, { path: "/engine.io/" }));
  equal(await once(socket, "message"), [greeting]);
});

for (const [name, connect] of transports) {
  test(`texts come back over ${name}`, async (t) => {
    const { socket, next } = await connect(t);
    for (const text of ["cash money €€€", "\u{10000}-\u{efffd}\u{100000}-", "0", "\u2028 \u0000 \x1e"]) {
      if (name === "polling" && text.includes("\x1e")) continue; // its payloads cannot carry their separator
      socket.send(text);
      equal(await next(), text);
    }
    socket.send("give utf8");
    equal(await next(), sentence);
  });

  test(`bytes come back over ${name}`, async (t) => {
    const { socket, next } = await connect(t);
    for (const sent of [five, five.buffer, new Uint8Array(0), new Int8Array([-1, 0, 1])]) {
      socket.send(sent);
      const got = await next();
      ok(got instanceof ArrayBuffer, `got ${Object.prototype.toString.call(got)}`);
      equal(got, sent);
    }
    socket.send("give binary");
    equal(await next(), five);
  });

  test(`bytes and texts keep their order over ${name}`, async (t) => {
    const { socket, next } = await connect(t);
    for (const m of [five, "€€€", five, "end"]) socket.send(m);
    for (const want of [five, "€€€", five, "end"]) equal(await next(), want);
  });

  test(`bytes forced into base64 over ${name}`, async (t) => {
    const { socket, next } = await connect(t, { forceBase64: true });
    socket.send(five);
    equal(await next(), five);
  });

  test(`a session that the server drains is a lost transport over ${name}, after its last message`, async (t) => {
    const { socket, next } = await connect(t);
    const closed = once(socket, "close");
    socket.send("lose me");
    equal(await next(), "farewell");
    const [reason] = await closed;
    equal(reason, "transport close");
  });

  testInBrowser(`blobs over ${name}`, async (t) => {
    const { socket, next } = await connect(t);
    socket.send(new Blob([five.buffer]));
    equal(await next(), five);
    socket.binaryType = "blob";
    if (name === "WebSocket") return; // the type counts from the next connection on
    if (name === "polling") {
      socket.send("give binary");
      const blob = await next();
      ok(blob instanceof Blob, `got ${Object.prototype.toString.call(blob)}`);
      equal(await blob.arrayBuffer(), five);
    }
  });
}

for (const [name, connect] of transports.slice(1)) {
  test(`subprotocols over ${name}: the server agrees to the first`, async (t) => {
    const { socket, next } = await connect(t, { protocols: ["v2.example", "v1.example"] });
    equal(socket.transport.ws.protocol, "v2.example");
    socket.send("hello");
    equal(await next(), "hello");
  });
}

test("messages are split over bodies of at most 100 bytes", async (t) => {
  const { socket, next } = await open(t, { transports: ["polling"] });
  const sent = ["a".repeat(99), "b".repeat(30), "c".repeat(30), "d".repeat(35), "€".repeat(33), "f".repeat(99)];
  for (const text of sent) socket.send(text);
  for (const want of sent) equal(await next(), want);
});

testInNode("bytes are split over bodies of at most 100 bytes", async (t) => {
  const { socket, next } = await open(t, { transports: ["polling"] });
  const sent = [new Uint8Array(72), new Uint8Array(20), "a".repeat(20), new Uint8Array(20), new Uint8Array(72)];
  for (const message of sent) socket.send(message);
  for (const want of sent) equal(await next(), want);
});

/** What a client says of its failed request, which it clears in the same moment. */
const failed = (socket) => new Promise((resolve) => {
  socket.once("error", ({ type, message, description, context }) => {
    resolve({ type, message, description, text: context?.responseText });
  });
});

test("a body over the limit is refused with 413", async (t) => {
  const { socket } = await open(t, { transports: ["polling"] });
  const failure = failed(socket), closed = once(socket, "close");
  socket.send("a".repeat(101));
  equal(await failure, { type: "TransportError", message: "xhr post error", description: 413, text: "" });
  equal((await closed)[0], "transport error");
});

test("a WebSocket message over the limit closes with 1009", async (t) => {
  const { socket } = await open(t, { transports: ["websocket"] });
  const closed = once(socket, "close");
  socket.send("a".repeat(101));
  const [reason, details] = await closed;
  equal([reason, details.description], ["transport close", "websocket connection closed"]);
  equal([details.context.code, details.context.reason], [1009, ""]);
});

for (const [what, query, status, text] of [
  ["an unknown session", { sid: "abc" }, 400, '{"code":1,"message":"Session ID unknown"}'],
  ["a refusal", { deny: 1 }, 403, '{"code":4,"message":"Forbidden"}'],
]) {
  test(`${what} over polling`, async (t) => {
    const socket = t.use(new Socket(t.url, { path: "/engine.io/", transports: ["polling"], query }));
    const failure = failed(socket), closed = once(socket, "close");
    equal(await failure, { type: "TransportError", message: "xhr poll error", description: status, text });
    equal((await closed)[0], "transport error");
  });
}

test("an unknown session over WebSocket", async (t) => {
  const socket = t.use(new Socket(t.url, { path: "/engine.io/", transports: ["websocket"], query: { sid: "abc" } }));
  const closed = once(socket, "close");
  const [error] = await once(socket, "error");
  equal([error.type, error.message, error.description.type], ["TransportError", "websocket error", "error"]);
  equal((await closed)[0], "transport error");
});

for (const [first, second] of [["websocket", "polling"], ["polling", "websocket"]]) {
  const denied = { transports: [first, second], transportOptions: { [first]: { query: { deny: 1 } } } };

  test(`refused over ${first}, a client may go on with ${second}`, async (t) => {
    const { socket } = await open(t, { ...denied, tryAllTransports: true });
    equal(socket.transport.name, second);
  });

  test(`refused over ${first}, a client gives up`, async (t) => {
    const error = await open(t, denied).then(() => "it is open", (e) => e);
    equal(error.message, first === "polling" ? "xhr poll error" : "websocket error");
  });
}

test("a close during the upgrade waits for it", async (t) => {
  const { socket } = await open(t);
  let upgraded = false;
  socket.on("upgrade", () => (upgraded = true));
  await once(socket, "upgrading");
  const closed = once(socket, "close");
  socket.send("still sent");
  socket.close();
  await closed;
  ok(upgraded, "closed before the upgrade");
  equal(socket.writeBuffer.length, 0, "what was not sent");
});

test("fifty messages each way while upgrading, none lost or out of order", async (t) => {
  const { socket, next } = await open(t);
  const upgrade = once(socket, "upgrade");
  for (let i = 0; i < 50; i++) socket.send(`m${i}`);
  for (let i = 0; i < 50; i++) equal(await next(), `m${i}`);
  await upgrade;
});

test("a client answers heartbeats on either transport", async (t) => {
  const clients = await Promise.all([open(t, { transports: ["polling"] }), openUpgraded(t)]);
  for (const { socket } of clients) for (let i = 0; i < 3; i++) await once(socket, "ping");
  for (const { socket } of clients) equal(socket.readyState, "open");
});

/** The headers of the POST that asks for them. */
async function headers(t, options) {
  const { socket, next } = await open(t, { ...options, transports: ["polling"] });
  socket.send("sendHeaders");
  return JSON.parse(await next());
}

testInNode("cookies are sent with credentials", async (t) => {
  equal((await headers(t, { withCredentials: true })).cookie, "1=1; 2=2");
});

testInNode("cookies are not sent without credentials", async (t) => {
  equal((await headers(t, { withCredentials: false })).cookie, undefined);
});

testInNode("each POST shows its own headers, in lower case", async (t) => {
  const got = await headers(t, { extraHeaders: { "X-Custom-Header": "my-secret" } });
  equal([got["x-custom-header"], got.host, got["content-type"]], ["my-secret", new URL(t.url).host, "text/plain;charset=UTF-8"]);
});

testInBrowser("the browser keeps what lives on, and only hides what is HttpOnly", async (t) => {
  const { cookie } = await headers(t, {});
  const sent = cookie.split("; ").sort();
  ok(sent.includes("1=1") && !sent.some((c) => /^[34]=/.test(c)), cookie);
  ok(!document.cookie.includes("2=2"), document.cookie);
});

testInNode("the first answer's cookies, attribute by attribute", async ({ url }) => {
  const first = await fetch(`${url}/engine.io/?EIO=4&transport=polling`);
  const { sid } = JSON.parse((await first.text()).slice(1));
  const [one, two, three, four, ...more] = first.headers.getSetCookie();
  equal([one, two, three], ["1=1; Max-Age=86400", "2=2; Path=/; HttpOnly; Secure; SameSite=Strict", "3=3; Max-Age=0"]);
  const [, expires] = four.match(/^4=4; Expires=(.+ GMT)$/);
  ok(Math.abs(Date.now() - Date.parse(expires)) < 5000, four);
  equal(more, []);
  const second = await fetch(`${url}/engine.io/?EIO=4&transport=polling&sid=${sid}`);
  equal(second.headers.getSetCookie(), [], "a later answer's cookies");
});

testInBrowser("a worker speaks for itself", async (t) => {
  const worker = new Worker("./worker.js", { type: "module" });
  const said = [];
  await new Promise((resolve, reject) => {
    worker.onerror = (e) => reject(new Error(e.message));
    worker.onmessage = ({ data }) => said.push(data) === 3 && resolve();
    worker.postMessage(t.url);
  });
  worker.terminate();
  equal(said, [greeting, sentence, five]);
});

