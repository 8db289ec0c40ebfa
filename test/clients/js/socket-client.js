// The official Socket.IO client against SUITE=sio-client: connecting, namespaces, acknowledgements, coming back.
import { io, Manager } from "socket.io-client";
import { test, equal, ok, once, passed } from "./runner.js";
import { ask } from "./wire.js";

/** A client with a connection of its own. */
const connect = (t, name = "/", options = {}) => t.use(io(t.url + name, { forceNew: true, reconnectionDelay: 10, ...options }));

/** A manager that is closed at the test's end. */
function manage(t, options) {
  const manager = new Manager(t.url, { reconnectionDelay: 10, ...options });
  t.use({ close: () => manager.reconnection(false).engine.close() });
  return manager;
}

const message = ([error]) => error.message;

test("an event and its answer", async (t) => {
  const socket = connect(t);
  socket.emit("hi");
  await once(socket, "hi");
});

test("the handshake takes the server's 10 ms to decide", async ({ url }) => {
  const began = performance.now();
  const [status] = await ask(`${url}/socket.io/?EIO=4&transport=polling`);
  equal(status, 200);
  ok(performance.now() - began >= 9, "answered at once");
});

for (const name of ["/", "/foo"]) {
  test(`client and server know a socket of ${name} by the same id`, async (t) => {
    const socket = connect(t, name);
    const id = await socket.emitWithAck("getId");
    equal(socket.id, id);
    ok(/^[\w-]{20}$/.test(id) && id !== socket.io.engine.id, id);
  });
}

test("the client acknowledges with several values", async (t) => {
  const socket = connect(t);
  socket.on("ack", (answer) => answer(5, { test: true }));
  socket.emit("ack");
  await once(socket, "got it");
});

test("dates come as ISO texts", async (t) => {
  const socket = connect(t);
  const near = (text) => ok(Math.abs(Date.now() - Date.parse(text)) < 60_000 && new Date(text).toJSON() === text, text);
  near(await socket.emitWithAck("getAckDate", { test: true }));
  socket.emit("getDate");
  near((await once(socket, "takeDate"))[0]);
  socket.emit("getDateObj");
  near((await once(socket, "takeDateObj"))[0].date);
});

test("false stays false", async (t) => {
  const socket = connect(t);
  socket.emit("false");
  equal((await once(socket, "false"))[0], false);
});

test("texts of several bytes a character", async (t) => {
  const socket = connect(t);
  const got = [];
  const all = new Promise((resolve) => socket.on("takeUtf8", (text) => got.push(text) === 5 && resolve()));
  socket.emit("getUtf8");
  await all;
  equal(got, ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"]);
});

for (const value of [123, 1.5, "text", null, true, [1, [2]], { a: { b: null } }, "\u2028 <&> \ud83c\udfb5"]) {
  test(`echo of ${JSON.stringify(value)}`, async (t) => equal(await connect(t).emitWithAck("echo", value), value));
}

test("events before the connection keep their order", async (t) => {
  const socket = connect(t, "/", { autoConnect: false });
  const answers = Promise.all([1, 2, 3].map((n) => socket.emitWithAck("echo", n)));
  socket.connect();
  equal(await answers, [1, 2, 3]);
});

// The handshake as the server sees it.

for (const [what, name, options, query, auth] of [
  ["a query object", "/abc", { query: { a: "b" } }, { a: "b" }, {}],
  ["a query string", "/abc?b=c&d=e", {}, { b: "c", d: "e" }, {}],
  ["a query to be escaped", "/abc", { query: { "&a": "&=?a" } }, { "&a": "&=?a" }, {}],
  ["an auth object", "/abc", { auth: { a: "b", c: "d" } }, { a: undefined }, { a: "b", c: "d" }],
  ["an auth function", "/abc", { auth: (cb) => cb({ e: "f" }) }, { e: undefined }, { e: "f" }],
]) {
  test(`handshake with ${what}`, async (t) => {
    const [handshake] = await once(connect(t, name, options), "handshake");
    for (const [key, want] of Object.entries(query)) equal(handshake.query[key], want, key);
    equal(handshake.auth, auth, "auth");
    equal([handshake.query.EIO, handshake.address], ["4", "127.0.0.1"]);
    equal([handshake.headers.host, handshake.secure], [new URL(t.url).host, false]);
  });
}

test("handshake of the main namespace", async (t) => {
  for (const [name, options] of [["/", { query: { e: "f" } }], ["/?e=f", {}]]) {
    const handshake = await connect(t, name, options).emitWithAck("getHandshake");
    equal([handshake.query.e, handshake.auth], ["f", {}]);
  }
});

// Refusals.

test("a middleware refuses in a namespace of its own", async (t) => {
  equal(message(await once(connect(t, "/no"), "connect_error")), "Auth failed (custom namespace)");
});

test("a middleware refuses by the query, with the main namespace's message", async (t) => {
  equal(message(await once(connect(t, "/", { query: { fail: 1 } }), "connect_error")), "Auth failed (main namespace)");
});

for (const name of ["/timeout_socket", "/valid"]) {
  test(`nothing forbids ${name}`, async (t) => {
    const socket = connect(t, name);
    await once(socket, "connect");
    ok(socket.connected && socket.id.length === 20, socket.id);
  });
}

test("the main namespace's middleware is not that of others", async (t) => {
  await once(connect(t, "/foo", { query: { fail: 1 } }), "connect");
});

test("an unknown namespace", async (t) => {
  equal(message(await once(connect(t, "/unknown"), "connect_error")), "Invalid namespace");
});

test("who is refused does not try again", async (t) => {
  const socket = connect(t, "/no");
  let refusals = 0;
  socket.on("connect_error", () => {
    refusals++;
    socket.io.engine.close();
  });
  await once(socket, "connect_error");
  await passed(50);
  equal(refusals, 1);
});

for (const transport of ["polling", "websocket"]) {
  test(`no patience at all over ${transport}`, async (t) => {
    const socket = connect(t, "/", { transports: [transport], timeout: 0, reconnection: false });
    equal(message(await once(socket, "connect_error")), "timeout");
  });
}

// Several namespaces in one connection.

test("two namespaces share a connection", async (t) => {
  const manager = manage(t);
  const [foo, asd] = ["/foo", "/asd"].map((name) => manager.socket(name));
  await Promise.all([once(foo, "connect"), once(asd, "connect")]);
  ok(foo.id !== asd.id, "one id for both");
});

test("a namespace joined later", async (t) => {
  const manager = manage(t);
  await once(manager.socket("/"), "connect");
  equal((await manager.socket("/foo").emitWithAck("getId")).length, 20);
});

test("a namespace left, another joined", async (t) => {
  const manager = manage(t);
  const root = manager.socket("/");
  await once(root, "connect");
  root.disconnect();
  await once(manager.socket("/foo"), "connect");
});

test("one namespace left, the other stays", async (t) => {
  const manager = manage(t);
  const foo = manager.socket("/foo"), root = manager.socket("/");
  await Promise.all([once(foo, "connect"), once(root, "connect")]);
  root.on("disconnect", () => root.emit("it has gone too"));
  foo.disconnect();
  equal(await root.emitWithAck("echo", "here"), "here");
  ok(root.connected && !foo.connected, "the wrong one has gone");
});

test("a socket left and opened again", async (t) => {
  const manager = manage(t);
  const socket = manager.socket("/");
  await once(socket, "connect");
  socket.disconnect();
  equal(socket.id, undefined);
  ok(manager.socket("/") === socket && socket.active, "another socket, or none");
  await once(socket, "connect");
});

// Losing the connection.

test("a client comes back after it was opened by hand", async (t) => {
  const socket = connect(t);
  await once(socket, "connect");
  socket.disconnect().connect();
  await once(socket, "connect");
  socket.io.engine.close();
  await once(socket, "connect");
});

test("only the socket that is still wanted comes back", async (t) => {
  const manager = manage(t);
  const [left, stays] = ["/", "/asd"].map((name) => manager.socket(name));
  await Promise.all([once(left, "connect"), once(stays, "connect")]);
  manager.engine.close();
  await once(manager, "reconnect_attempt");
  left.disconnect();
  let back = false;
  left.on("connect", () => (back = true));
  await once(stays, "connect");
  await passed(50);
  ok(!back, "the other one came back too");
});

test("what cannot be decoded makes a client open another connection", async (t) => {
  const manager = manage(t);
  await once(manager, "open");
  const { engine } = manager;
  await passed(0);
  engine.emit("data", "bad");
  await once(manager, "reconnect");
  ok(manager.engine !== engine && engine.readyState === "closed", "the same connection");
});

// Acknowledgements in time.

test("an event that nobody knows is not acknowledged", async (t) => {
  const failure = await connect(t).timeout(50).emitWithAck("unknown").catch((error) => error);
  equal(failure.message, "operation has timed out");
});

test("an answer in time", async (t) => {
  const socket = connect(t);
  await once(socket, "connect");
  equal(await socket.timeout(5000).emitWithAck("echo", 42), 42);
});

test("an event emitted while away is answered later", async (t) => {
  const socket = connect(t);
  await once(socket, "connect");
  socket.disconnect();
  const answer = socket.emitWithAck("echo", "a");
  await passed(20);
  socket.connect();
  equal(await answer, "a");
});

test("a volatile event is dropped while the way is taken, and only it", async (t) => {
  const socket = connect(t);
  await once(socket, "connect");
  let dropped = true;
  const kept = socket.emitWithAck("getId");
  socket.volatile.emit("getId", () => (dropped = false));
  equal(await kept, socket.id);
  await socket.emitWithAck("echo", 1);
  ok(dropped, "answered");
});

// Retries: the client keeps an event until it is acknowledged, one at a time.

/** What a client sends, but pongs. */
function sent(socket) {
  const packets = [];
  socket.io.engine.on("packetCreate", ({ type, data }) => type === "message" && packets.push(data));
  return packets;
}

test("retries keep the order", async (t) => {
  const socket = connect(t, "/", { retries: 1, ackTimeout: 5000 });
  const packets = sent(socket);
  const emit = (n) => new Promise((resolve) => socket.emit("echo", n, (error, value) => resolve(value)));
  equal(await Promise.all([emit(1), emit(2), emit(3)]), [1, 2, 3]);
  equal(packets, ["0", '20["echo",1]', '21["echo",2]', '22["echo",3]']);
});

test("retries end", async (t) => {
  const socket = connect(t, "/", { retries: 3, ackTimeout: 50 });
  const packets = sent(socket);
  let heard = 0;
  socket.on("ack", () => heard++);
  const error = await new Promise((resolve) => socket.emit("ack", resolve));
  equal(error.message, "operation has timed out");
  equal([heard, packets], [4, ["0", '20["ack"]', '21["ack"]', '22["ack"]', '23["ack"]']]);
});
