// Many official clients in one process, each a listener of a guild with a connection of its own.
//
// node clients.js '{"url": …, "first": guild, "guilds": n, "clients": m}' says on stdout, a line each:
//   <client> c <0|1>           connected, and whether recovered
//   <client> d                 disconnected
//   <client> e <name> <B64>    an event with its first argument
// A line "cut" on stdin ends every connection as a change of networks does. It ends with its stdin.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const { url, first, guilds, clients } = JSON.parse(process.argv[2]);
const ways = [undefined, ["websocket"], ["polling"]];
const sockets = [];
for (let n = 0; n < clients; n++) {
  const guild = BigInt(first) + BigInt(n % guilds);
  const transports = ways[n % ways.length];
  const socket = io(`${url}/guild/${guild}`, {
    forceNew: true,
    auth: { type: "Bearer", key: `user:${900000 + n}` },
    ...(transports && { transports }),
  });
  const say = (text) => process.stdout.write(`${n} ${text}\n`);
  socket.on("connect", () => say(`c ${socket.recovered ? 1 : 0}`));
  socket.on("disconnect", () => say("d"));
  socket.on("connect_error", ({ data }) => {
    if (!socket.active) setTimeout(() => socket.connect(), data?.retryAfterMs ?? 1000);
  });
  for (const name of ["handshake", "track_started"]) socket.on(name, (text) => say(`e ${name} ${text}`));
  sockets.push(socket);
}

createInterface({ input: process.stdin })
  .on("line", () => sockets.forEach((socket) => socket.io.engine?.close()))
  .on("close", () => process.exit());
