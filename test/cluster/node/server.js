// A socket.io server on the Redis adapter, and an emitter, that do what they are told: a JSON object a
// line on standard input, {id, op, nsp, rooms, except, numeric, flags, args}; the answer {id, result} or
// {id, error, result} on standard output. Bytes are {"$bytes": base64} both ways. Numeric rooms are named by numbers.
//
// Environment: REDIS (a URL; of a Redis Cluster several, comma-separated; of a Sentinel where MASTER names what it watches), KEY,
// MODE (classic, specific, sharded, sharded-static, sharded-dynamic-private), TIMEOUT (ms of requests).
import { createInterface } from "node:readline";
import { Emitter } from "@socket.io/redis-emitter";
import adapters from "@socket.io/redis-adapter";
import { createClient, createCluster, createSentinel } from "redis";
import { Server } from "socket.io";

const { REDIS, MASTER, KEY, MODE, TIMEOUT } = process.env;
const urls = REDIS.split(",");
// behindSentinel is a client as the adapter takes it: Sentinel's own sendCommand asks first whether a replica will do.
const behindSentinel = () => {
  const { hostname, port } = new URL(REDIS);
  const client = createSentinel({ name: MASTER, sentinelRootNodes: [{ host: hostname, port: Number(port) }], scanInterval: 500 });
  const send = client.sendCommand.bind(client);
  client.sendCommand = (args) => send(false, args);
  return client;
};
const connect = () => {
  if (MASTER) return behindSentinel();
  return urls.length > 1 ? createCluster({ rootNodes: urls.map((url) => ({ url })) }) : createClient({ url: REDIS });
};
const [pub, sub] = [connect(), connect()];
for (const client of [pub, sub]) client.on("error", () => {}); // it connects again by itself
await Promise.all([pub.connect(), sub.connect()]);

const requestsTimeout = Number(TIMEOUT ?? 5000);
const adapter = MODE.startsWith("sharded")
  ? adapters.createShardedAdapter(pub, sub, {
      channelPrefix: KEY, subscriptionMode: MODE === "sharded" ? "dynamic" : MODE.slice("sharded-".length),
    })
  : adapters.createAdapter(pub, sub, { key: KEY, requestsTimeout, publishOnSpecificResponseChannel: MODE === "specific" });
const io = new Server({ adapter, serveClient: false });
const emitter = new Emitter(pub, { key: KEY });
const serverSide = []; // events that came from other servers

io.on("connection", (socket) => {
  socket.data = { server: "node" };
  socket.join("everybody");
});
// A guild as the old server has it; the user is the number in the key, "user7".
io.of(/^\/guild\/\d+$/).on("connection", (socket) => {
  socket.join(["pona! music", `stream:${socket.handshake.auth.key.match(/\d+$/)[0]}`]);
  socket.emit("handshake", Buffer.from('{"pona":null,"isMemberInVC":null}').toString("base64"));
});
for (const nsp of [io.of("/"), io.of("/custom")]) {
  nsp.on("sse", (ack) => ack("node")); // what bin/conformance-server answers, too
  nsp.on("hello", (...args) => {
    const ack = typeof args.at(-1) === "function" ? args.pop() : undefined;
    serverSide.push(args);
    ack?.(args[0] === "bytes" ? Buffer.from([4, 5]) : "node");
  });
}

const revive = (v) => {
  if (v?.$bytes !== undefined) return Buffer.from(v.$bytes, "base64");
  if (Array.isArray(v)) return v.map(revive);
  return v && typeof v === "object" ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, revive(x)])) : v;
};
const flatten = (v) => {
  if (Buffer.isBuffer(v)) return { $bytes: v.toString("base64") };
  if (v instanceof Set) return [...v];
  if (Array.isArray(v)) return v.map(flatten);
  return v && typeof v === "object" ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, flatten(x)])) : v;
};

// address builds the operator a command speaks of.
const address = (from, { rooms = [], except = [], numeric, flags = {} }) => {
  const named = (room) => (numeric ? Number(room) : room);
  let to = from;
  for (const room of rooms) to = to.to(named(room));
  if (except.length) to = to.except(except.map(named));
  if (flags.volatile) to = to.volatile;
  if (flags.uncompressed) to = to.compress(false);
  if (flags.local) to = to.local;
  if (flags.timeout) to = to.timeout(flags.timeout);
  return to;
};

const operations = {
  emit: (to, c) => void to.emit(...c.args),
  emitWithAck: (to, c) => new Promise((done) => {
    to.emit(...c.args, (err, responses) => done({ error: err?.message, result: responses }));
  }),
  socketsJoin: (to, c) => to.socketsJoin(c.args),
  socketsLeave: (to, c) => to.socketsLeave(c.args),
  disconnectSockets: (to, c) => to.disconnectSockets(c.args[0]),
  fetchSockets: async (to) => (await to.fetchSockets()).map(({ id, rooms, data, handshake }) => ({ id, rooms: [...rooms].sort(), data, auth: handshake.auth, handshake: Object.keys(handshake).sort() })),
  serverSideEmit: (to, c) => void to.serverSideEmit(...c.args),
  serverSideEmitWithAck: (to, c) => new Promise((done) => {
    to.serverSideEmit(...c.args, (err, responses) => done({ error: err?.message, result: responses }));
  }),
  allRooms: async (to, c) => [...(await io.of(c.nsp ?? "/").adapter.allRooms())].sort(),
  serverCount: (to, c) => io.of(c.nsp ?? "/").adapter.serverCount(),
  heard: () => serverSide.splice(0),
  setData: (to, c) => void (io.of(c.nsp ?? "/").sockets.get(c.rooms[0]).data = c.args[0]),
  uid: (to, c) => io.of(c.nsp ?? "/").adapter.uid,
  drain: () => void io.engine.close(),
};

createInterface({ input: process.stdin }).on("line", async (line) => {
  const c = revive(JSON.parse(line));
  let answer;
  try {
    const from = (c.emitter ? emitter : io).of(c.nsp ?? "/");
    const result = await operations[c.op](address(from, c), c);
    answer = result?.error !== undefined || result?.result !== undefined ? result : { result };
  } catch (e) {
    answer = { error: e.message };
  }
  console.log(JSON.stringify(flatten({ id: c.id, ...answer })));
}).on("close", () => process.exit());

io.listen(0);
console.log(JSON.stringify({ port: io.httpServer.address().port }));
