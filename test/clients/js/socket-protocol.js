// Socket.IO v5 by hand, against SUITE=sio-protocol: Engine.IO as in engine-protocol.js, a second to join.
import { test, equal, ok } from "./runner.js";
import { ask, openPolling, polling, websocket, Wire } from "./wire.js";

const base = (url) => `${url}/socket.io/`;
const bytes = (...b) => Uint8Array.from(b);
const two = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';

/** A connection that has joined nothing. */
async function connect(t, options = { pong: true }) {
  const wire = t.use(new Wire(`${base(t.url)}?${websocket}`, options));
  equal((await wire.next())[0], "0", "the first packet's type");
  return wire;
}

/** Joins a namespace with that CONNECT, and checks the answer and the event that follows. */
async function join(wire, packet, name, auth) {
  wire.send(packet);
  const answer = await wire.next();
  ok(answer.startsWith(`40${name}{`), `answered ${answer}`);
  const { sid, ...rest } = JSON.parse(answer.slice(2 + name.length));
  ok(/^[\w-]{20}$/.test(sid), `sid ${sid}`);
  equal(rest, {}, "the rest of the answer");
  await wire.expect(`42${name}["auth",${auth}]`);
}

/** A connection in the main namespace. */
async function joined(t) {
  const wire = await connect(t);
  await join(wire, "40", "", "{}");
  return wire;
}

test("a handshake over polling", async ({ url }) => {
  const { sid, ...rest } = (await openPolling(base(url))).handshake;
  equal(typeof sid, "string", "sid");
  equal(rest, { upgrades: ["websocket"], pingInterval: 300, pingTimeout: 200, maxPayload: 1_000_000 });
});

test("an Engine.IO client of version 3 is refused", async ({ url }) => {
  const answer = await ask(`${base(url)}?${polling.replace("4", "3")}`);
  equal(answer, [400, '{"code":5,"message":"Unsupported protocol version"}']);
});

for (const [packet, name, auth] of [
  ["40", "", "{}"],
  ['40{"token":"123"}', "", '{"token":"123"}'],
  ["40/custom,", "/custom,", "{}"],
  ["40/custom", "/custom,", "{}"],
  ['40/custom,{"token":"abc"}', "/custom,", '{"token":"abc"}'],
]) {
  test(`joining with ${packet}`, async (t) => join(await connect(t), packet, name, auth));
}

test("joining over polling", async ({ url }) => {
  const { at } = await openPolling(base(url));
  equal(await ask(at, { body: '40{"token":"123"}' }), [200, "ok"]);
  let came = "";
  while (!came.includes('42["auth",{"token":"123"}]')) {
    const [status, text] = await ask(at);
    equal(status, 200, "a poll's status");
    came += `${text}\x1e`;
    if (text.includes("2")) await ask(at, { body: "3" });
  }
  ok(came.startsWith('40{"sid":"'), came);
});

test("an unknown namespace is refused", async (t) => {
  const wire = await connect(t);
  wire.send("40/random");
  await wire.expect('44/random,{"message":"Invalid namespace"}');
});

test("who joins nothing is closed after a second", async (t) => {
  const began = performance.now();
  await (await connect(t)).closed;
  const took = performance.now() - began;
  ok(took >= 950, `closed after ${took} ms`);
});

test("a namespace is left alone, and the connection stays", async (t) => {
  const wire = await connect(t, {});
  await join(wire, "40", "", "{}");
  wire.send("41");
  await wire.expect("2");
});

test("one namespace is left, the other stays", async (t) => {
  const wire = await joined(t);
  await join(wire, "40/custom", "/custom,", "{}");
  wire.send("41/custom", '42["message","message to main namespace"]');
  await wire.expect('42["message-back","message to main namespace"]');
});

test("an event", async (t) => {
  const wire = await joined(t);
  wire.send('42["message",1,"2",{"3":[true]}]');
  await wire.expect('42["message-back",1,"2",{"3":[true]}]');
});

test("an event with bytes", async (t) => {
  const wire = await joined(t);
  wire.send(`452-["message",${two}]`, bytes(1, 2, 3), bytes(4, 5, 6));
  await wire.expect(`452-["message-back",${two}]`, bytes(1, 2, 3), bytes(4, 5, 6));
});

test("an acknowledgement", async (t) => {
  const wire = await joined(t);
  wire.send('42456["message-with-ack",1,"2",{"3":[false]}]');
  await wire.expect('43456[1,"2",{"3":[false]}]');
});

test("an acknowledgement with bytes", async (t) => {
  const wire = await joined(t);
  wire.send(`452-789["message-with-ack",${two}]`, bytes(1, 2, 3), bytes(4, 5, 6));
  await wire.expect(`462-789[${two}]`, bytes(1, 2, 3), bytes(4, 5, 6));
});

for (const [what, bad] of [
  ["an unknown packet type", ["4abc"]],
  ["an event that is no list", ["42{}"]],
  ["an id that is no number", ['42abc["message-with-ack",1]']],
  ["a second CONNECT", ["40"]],
  ["a CONNECT_ERROR", ['44{"message":"no"}']],
  ["an event for a namespace not joined", ['42/custom,["message"]']],
  ["text in place of an attachment", ['451-["message",{"_placeholder":true,"num":0}]', '42["message"]']],
  ["bytes that nobody announced", [bytes(1)]],
]) {
  test(`${what} closes the connection`, async (t) => {
    const wire = await joined(t);
    wire.send(...bad);
    await wire.closed;
  });
}

test("a packet that cannot be read before any CONNECT closes the connection", async (t) => {
  const wire = await connect(t);
  wire.send("4abc");
  await wire.closed;
});
