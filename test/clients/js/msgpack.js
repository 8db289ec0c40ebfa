// The official Socket.IO client with its MessagePack parser, against SUITE=sio-client: the connection's query
// says parser=msgpack.
import { inBrowser, test, equal, ok, once } from "./runner.js";

const { io, options } = await (async () => {
  if (inBrowser) {
    await import("./node_modules/socket.io-client/dist/socket.io.msgpack.min.js"); // has the parser in it
    return { io: globalThis.io, options: {} };
  }
  const [{ io }, parser] = await Promise.all([import("socket.io-client"), import("socket.io-msgpack-parser")]);
  return { io, options: { parser: parser.default } };
})();

const chosen = { parser: "msgpack" };
const connect = (t, name = "/", more = {}) =>
  t.use(io(t.url + name, { forceNew: true, reconnectionDelay: 10, query: chosen, ...options, ...more }));

const text = new TextEncoder().encode("asdfasdf");
const bytes = text.buffer; // in browsers, the parser knows bytes by this type only

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  const over = transports.join(" and ");

  test(`events and acknowledgements over ${over}`, async (t) => {
    const socket = connect(t, "/", { transports });
    socket.emit("hi");
    await once(socket, "hi");
    equal(await socket.emitWithAck("getId"), socket.id);
    socket.on("ack", (answer) => answer(5, { test: true }));
    socket.emit("ack");
    await once(socket, "got it");
  });

  test(`bytes over ${over}`, async (t) => {
    const socket = connect(t, "/", { transports });
    socket.emit("doge");
    equal(new Uint8Array((await once(socket, "doge"))[0]), text);
    socket.emit("buffa", bytes);
    await once(socket, "buffack");
    socket.emit("jsonbuff", { hello: "lol", message: bytes, goodbye: "gotcha" });
    await once(socket, "jsonbuff-ack");
    equal(new Uint8Array(await socket.emitWithAck("echo", bytes)), text);
  });
}

const integers = [0, 1, -1, 127, 128, -32, -33, 255, 256, 65535, 65536, -32769, 2 ** 31, 2 ** 32, -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
for (const [what, value] of Object.entries({
  integers,
  fractions: [0.5, -1.25, 5e-324, 0.1],
  "large numbers": [2 ** 53, 2 ** 63, 9223372036854776000],
  texts: ["", "a".repeat(31), "b".repeat(32), "c".repeat(256), "d".repeat(65536), "é 夜 🎈 \u2028"],
  others: [null, true, false],
  lists: [[], Array.from({ length: 16 }, (_, i) => i), [[[]]]],
  objects: [{}, { a: { b: [{ c: null }] } }, Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, i]))],
})) {
  test(`echo of ${what}`, async (t) => {
    const socket = connect(t);
    for (const v of value) equal(await socket.emitWithAck("echo", v), v);
  });
}

test("a date arrives as text", async (t) => {
  equal(await connect(t).emitWithAck("echo", new Date(1234567890123)), "2009-02-13T23:31:30.123Z");
});

test("the handshake shows query and auth", async (t) => {
  const [handshake] = await once(connect(t, "/abc", { auth: { a: "b" } }), "handshake");
  equal([handshake.query.parser, handshake.auth], ["msgpack", { a: "b" }]);
});

test("refusals", async (t) => {
  for (const [name, message] of [["/no", "Auth failed (custom namespace)"], ["/unknown", "Invalid namespace"]]) {
    equal((await once(connect(t, name), "connect_error"))[0].message, message);
  }
});

test("several namespaces", async (t) => {
  const root = connect(t);
  const foo = root.io.socket("/foo");
  const [a, b] = await Promise.all([root.emitWithAck("getId"), foo.emitWithAck("getId")]);
  equal([a, b], [root.id, foo.id]);
  foo.disconnect();
  equal(await root.emitWithAck("echo", 1), 1);
});

test("a client comes back as the same socket", async (t) => {
  const socket = connect(t);
  socket.emit("hi");
  await once(socket, "hi");
  const { id } = socket;
  socket.io.engine.close();
  await once(socket, "connect");
  equal([socket.recovered, socket.id], [true, id]);
});

test("who does not say so is not understood", async (t) => {
  const socket = connect(t, "/", { query: {}, reconnection: false });
  await once(socket.io, "close");
  ok(!socket.connected, "it is connected");
});
