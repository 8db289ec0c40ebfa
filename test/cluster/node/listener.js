// The official client in a guild. It comes back by itself, and says each event on standard output, a JSON list a line.
//
// Environment: SERVER (a URL), NAMESPACE, KEY, TRANSPORTS (comma-separated).
import { io } from "socket.io-client";

const { SERVER, NAMESPACE, KEY, TRANSPORTS } = process.env;
const socket = io(SERVER + NAMESPACE, {
  auth: { type: "Bearer", key: KEY }, transports: TRANSPORTS.split(","), reconnectionDelay: 20, reconnectionDelayMax: 100,
});
const say = (...event) => console.log(JSON.stringify(event));
socket.onAny(say);
socket.on("connect_error", (e) => e.data !== undefined || !socket.active ? say("connect_error", e.message) : undefined);
process.stdin.resume().on("close", () => process.exit());
