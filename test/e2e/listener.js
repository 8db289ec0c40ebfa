// A listener in a guild: the official client, steered by lines of JSON.
//
// node listener.js '{"url": …, "guild": …, "key": …, "transports": […]}' says on stdout, a line each:
//   {"what": "transport", "name"}            the Engine.IO transport, at first and after an upgrade
//   {"what": "packet", "data"}               each Socket.IO packet of the guild as it came, undecoded
//   {"what": "connect", "id", "recovered"}   {"what": "disconnect", "name": reason}
//   {"what": "refused", "message", "data"}   connect_error
//   {"what": "event", "name", "args"}        {"what": "ack", "id", "args"}
// and emits what it reads from stdin: {"id": 1, "emit": ["pause"]}. It ends with its stdin.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const { url, guild, key, transports } = JSON.parse(process.argv[2]);
const say = (what, more) => process.stdout.write(`${JSON.stringify({ what, ...more })}\n`);

const options = { auth: { type: "Bearer", key } };
if (transports) options.transports = transports;
const socket = io(`${url}/guild/${guild}`, options);

socket.io.on("open", () => {
  const { engine } = socket.io;
  say("transport", { name: engine.transport.name });
  engine.on("upgrade", (transport) => say("transport", { name: transport.name }));
  engine.on("packet", ({ type, data }) => type === "message" && say("packet", { data }));
});
socket.on("connect", () => say("connect", { id: socket.id, recovered: Boolean(socket.recovered) }));
socket.on("disconnect", (reason) => say("disconnect", { name: reason }));
socket.on("connect_error", ({ message, data }) => say("refused", { message, data }));
socket.onAny((name, ...args) => say("event", { name, args }));

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { id, emit } = JSON.parse(line);
    socket.emit(...emit, (...args) => say("ack", { id, args }));
  })
  .on("close", () => socket.disconnect());
