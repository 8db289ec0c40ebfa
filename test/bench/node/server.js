// The reference that `make bench` measures beside ours: socket.io with the settings that Pona's
// Node server runs in production.
//
// Clients connect to PORT; the bench tells it what to emit over CTRL_PORT (see ../control.go). With REDIS, a
// URL, it is one of a cluster.

import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const { PORT, CTRL_PORT, REDIS } = process.env;
const room = "pona! music";

const web = createServer();
const io = new Server(web, {
  pingInterval: 25_000,
  pingTimeout: 20_000,
  upgradeTimeout: 10_000,
  connectTimeout: 45_000,
  maxHttpBufferSize: 15e6,
  transports: ["websocket", "polling"],
  perMessageDeflate: { threshold: 1024, zlibDeflateOptions: { level: 6 } },
  httpCompression: { threshold: 1024 },
});
if (REDIS) {
  const pub = createClient({ url: REDIS });
  const sub = pub.duplicate();
  await Promise.all([pub.connect(), sub.connect()]);
  io.adapter(createAdapter(pub, sub, { key: "pona:socket.io", requestsTimeout: 5000 }));
}
io.of(/^\/guild\/\d+$/).on("connection", (socket) => {
  socket.join(room);
  socket.on("echo", (...args) => args.at(-1)()); // what the siege's bystanders ask
});
web.listen(Number(PORT), "127.0.0.1");

createServer(async (request, response) => {
  let text = "";
  for await (const chunk of request) text += chunk;
  switch (request.url) {
    case "/emit":
      return emitAll(JSON.parse(text), () => response.end());
    case "/gc":
      globalThis.gc();
      return response.end();
    default:
      response.statusCode = 404;
      return response.end();
  }
}).listen(Number(CTRL_PORT), "127.0.0.1");

// emitAll sends event i no earlier than i / rate seconds after the first (bursts together), and
// calls done after the last.
function emitAll(plan, done) {
  const began = process.hrtime.bigint();
  const due = (i) => began + BigInt(Math.round(((i - (i % plan.burst)) / plan.rate) * 1e9));
  let i = 0;
  const step = () => {
    while (i < plan.count && process.hrtime.bigint() >= due(i)) {
      const guild = io.of(`/guild/${plan.first + (i % plan.guilds)}`);
      guild.to(plan.room).emit(plan.event, stamp(plan.run, i) + plan.bodies[i % plan.bodies.length]);
      i++;
    }
    if (i === plan.count) return done();
    const wait = Number(due(i) - process.hrtime.bigint()) / 1e6;
    setTimeout(step, Math.max(0, wait));
  };
  step();
}

function stamp(run, sequence) {
  const now = process.hrtime.bigint().toString().padStart(19, "0");
  return `@T${now}R${String(run).padStart(2, "0")}S${String(sequence).padStart(8, "0")};`;
}
