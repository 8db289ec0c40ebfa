// A listener in a guild: the official client, steered by lines of JSON.
//
// node listener.js '{"url": …, "guild": …, "key": …, "transports": […], "encoding": …, "parser": …}' says on stdout,
// a line each, bytes in it as {"bytes": text}:
//   {"what": "transport", "name"}            the Engine.IO transport, at first and after an upgrade
//   {"what": "packet", "data"}               each Socket.IO packet of the guild as it came, undecoded
//   {"what": "connect", "id", "recovered"}   {"what": "disconnect", "name": reason}
//   {"what": "refused", "message", "data"}   connect_error
//   {"what": "event", "name", "args"}        {"what": "ack", "id", "args"}
// and does what it reads from stdin: {"id": 1, "emit": ["pause"]}, or {"cut": true}, which ends the WebSocket's TCP
// connection as a lost network would. It ends with its stdin.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import * as msgpack from "socket.io-msgpack-parser";

const { url, guild, key, transports, encoding, parser } = JSON.parse(process.argv[2]);
const text = (value) => (value instanceof Uint8Array ? { bytes: Buffer.from(value).toString() } : value);
const say = (what, more) => process.stdout.write(`${JSON.stringify({ what, ...more })}\n`);

const options = { auth: { type: "Bearer", key, encoding } };
if (transports) options.transports = transports;
if (parser === "msgpack") Object.assign(options, { parser: msgpack.default ?? msgpack, query: { parser } });
const socket = io(`${url}/guild/${guild}`, options);

socket.io.on("open", () => {
  const { engine } = socket.io;
  say("transport", { name: engine.transport.name });
  engine.on("upgrade", (transport) => say("transport", { name: transport.name }));
  engine.on("packet", ({ type, data }) => type === "message" && say("packet", { data: text(data) }));
});
socket.on("connect", () => say("connect", { id: socket.id, recovered: Boolean(socket.recovered) }));
socket.on("disconnect", (reason) => say("disconnect", { name: reason }));
socket.on("connect_error", ({ message, data }) => say("refused", { message, data }));
socket.onAny((name, ...args) => say("event", { name, args: args.map(text) }));

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { id, emit, cut } = JSON.parse(line);
    if (cut) socket.io.engine.transport.ws.terminate();
    else socket.emit(...emit, (...args) => say("ack", { id, args }));
  })
  .on("close", () => socket.disconnect());
