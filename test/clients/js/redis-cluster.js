// Two nodes of SUITE=redis-cluster on one Redis, told by official clients what to do: `url` holds both addresses.
import { io } from "socket.io-client";
import { test, equal, once, several } from "./runner.js";

/** A client of each node, in a namespace; `ask` waits for a command's acknowledgement. */
async function pair(t, name = "/") {
  const both = t.url.split(",").map((url) => t.use(io(url + name, { forceNew: true })));
  await Promise.all(both.map((socket) => once(socket, "connect")));
  for (const socket of both) socket.ask = (...command) => socket.emitWithAck(...command);
  return both;
}

const at = ({ rooms = [], except = [], ...flags } = {}) => ({ rooms, except, flags });
const bytes = Uint8Array.of(1, 2, 3);
let rooms = 0;
const newRoom = () => `room ${++rooms}`; // the tests share the nodes

/** Asks until the answer is as wanted: orders take their way through Redis. */
async function until(ask, wanted) {
  for (;;) {
    const got = await ask();
    if (wanted(got)) return got;
  }
}

for (const name of ["/", "/custom"]) {
  test(`an event for a room of the other node, bytes and all, in ${name}`, async (t) => {
    const [a, b] = await pair(t, name);
    const room = newRoom();
    await b.ask("join", room);
    const came = new Promise((resolve) => b.on(room, (...args) => resolve(args)));
    equal(await a.ask("emit", at({ rooms: [room] }), room, [1, { deep: [bytes] }, bytes, "€"]), undefined);
    equal((await came).map((v) => (v instanceof Uint8Array ? [...v] : v)), [1, { deep: [bytes] }, bytes, "€"]);
  });
}

test("events in order, without those excepted, local ones here only", async (t) => {
  const [a, b] = await pair(t);
  const room = newRoom();
  await Promise.all([a.ask("join", room), b.ask("join", room)]);
  const here = several(a, room, 3), there = several(b, room, 2);
  await a.ask("emit", at({ rooms: [room] }), room, ["both"]);
  await a.ask("emit", at({ rooms: [room], except: [a.id] }), room, ["there"]);
  await a.ask("emit", at({ rooms: [room], local: true }), room, ["here"]);
  await a.ask("emit", at({ rooms: [a.id] }), room, ["here, by its id"]);
  equal(await here, ["both", "here", "here, by its id"]);
  equal(await there, ["both", "there"]);
});

test("answers of all clients", async (t) => {
  const [a, b] = await pair(t);
  const room = newRoom();
  await Promise.all([a.ask("join", room), b.ask("join", room)]);
  a.on(room, (answer) => answer("a"));
  b.on(room, (answer) => answer({ b: [bytes] }));
  const { err, responses } = await a.ask("emitAck", at({ rooms: [room], timeout: 5000 }), room, []);
  equal([err, responses.length], [null, 2]);
  equal(responses.find((r) => r !== "a"), { b: [bytes] });
  equal(await a.ask("emitAck", at({ rooms: ["nobody"], timeout: 5000 }), room, []), { err: null, responses: [] });
});

test("a client that does not answer", async (t) => {
  const [a, b] = await pair(t);
  const room = newRoom();
  await Promise.all([a.ask("join", room), b.ask("join", room)]);
  a.on(room, (answer) => answer("a"));
  equal(await a.ask("emitAck", at({ rooms: [room], timeout: 300 }), room, []), { err: "operation has timed out", responses: ["a"] });
});

test("sockets of both nodes: found, moved, disconnected", async (t) => {
  const [a, b] = await pair(t);
  const room = newRoom(), more = newRoom();
  await Promise.all([a.ask("join", room), b.ask("join", room)]);
  const found = await a.ask("fetchSockets", at({ rooms: [room] }));
  equal(found.map((s) => [s.id, s.rooms.sort(), s.data]).sort(), [a, b].map((s) => [s.id, [s.id, room].sort(), { edge: true }]).sort());
  await a.ask("socketsJoin", at({ rooms: [room], except: [a.id] }), [more]);
  await until(() => b.ask("rooms"), (all) => all.includes(more));
  equal((await a.ask("rooms")).includes(more), false);
  await a.ask("socketsLeave", at({ rooms: [room] }), [more]);
  await until(() => b.ask("rooms"), (all) => !all.includes(more));
  const gone = once(b, "disconnect");
  await a.ask("disconnectSockets", at({ rooms: [room], except: [a.id] }), true);
  equal((await gone)[0], "io server disconnect");
  equal((await a.ask("fetchSockets", at({ rooms: [room] }))).length, 1);
});

test("a room that is joined and left", async (t) => {
  const [a, b] = await pair(t);
  const room = newRoom();
  await b.ask("join", room);
  equal((await b.ask("rooms")).sort(), [b.id, room].sort());
  await b.ask("leave", room);
  equal(await b.ask("rooms"), [b.id]);
  const came = several(b, "end", 1);
  let late = false;
  b.on(room, () => (late = true));
  await a.ask("emit", at({ rooms: [room], volatile: true }), room, []);
  await a.ask("emit", at({ volatile: true }), "end", [1]);
  await came;
  equal(late, false, "an event for a room that was left");
});

test("what servers tell each other", async (t) => {
  const [a, b] = await pair(t, "/custom");
  await a.ask("sse", "sse", [1, { deep: bytes }]);
  equal(await until(() => b.ask("lastSse"), (args) => args.length > 0), [1, { deep: bytes }]);
  equal(await a.ask("sseAck", "sse", ["again"]), { err: null, responses: ["edge"] });
});
