// Clients of a server that is drained, steered by nothing but what happens to them.
//
// node drained.js '[{"url": …, "transports": […], "packed": true?}, …]' says on stdout, a line each,
// what each client sees: {"client": 0, "what": "connect" | "disconnect" | "event", "detail": …}.
import { io } from "socket.io-client";
import parser from "socket.io-msgpack-parser";

const say = (client, what, detail) => process.stdout.write(`${JSON.stringify({ client, what, detail })}\n`);

const sockets = JSON.parse(process.argv[2]).map(({ url, transports, packed }, client) => {
  const options = { transports, forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 200, timeout: 5000 };
  const socket = io(url, packed ? { ...options, parser, query: { parser: "msgpack" } } : options);
  socket.on("connect", () => say(client, "connect", socket.io.engine.transport.name));
  socket.on("disconnect", (reason) => say(client, "disconnect", reason));
  socket.on("news", (text) => say(client, "event", text));
  return socket;
});

process.stdin.resume().on("end", () => sockets.forEach((socket) => socket.disconnect()));
