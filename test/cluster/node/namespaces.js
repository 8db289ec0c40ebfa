// A socket.io server with many guild namespaces on the classic Redis adapter, each with a room that has a member,
// to be measured: a number on standard input emits in that guild; a delivery is said on standard output, as the
// microseconds since its emit. The clock is the machine's, the same for every process.
//
// Environment: REDIS (a URL), KEY, N (namespaces).
import { createInterface } from "node:readline";
import adapters from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const { REDIS, KEY, N } = process.env;
const pub = createClient({ url: REDIS });
const sub = pub.duplicate();
await Promise.all([pub.connect(), sub.connect()]);
const io = new Server({ adapter: adapters.createAdapter(pub, sub, { key: KEY }), serveClient: false });
const now = () => Number(process.hrtime.bigint() / 1000n);
let sending = false;
const delivered = (packet) => { // where a message would be encoded for its members
  if (!sending) console.log(now() - packet.data[1]);
  return [];
};
for (let i = 0; i < Number(N); i++) {
  const { adapter } = io.of(`/guild/${i}`);
  adapter.addAll("member", new Set(["pona! music"]));
  adapter._encode = delivered;
  if (i % 1000 === 999) await sub.ping(); // until Redis has subscribed to these
}
await sub.ping();
console.log("ready");
createInterface({ input: process.stdin }).on("line", (guild) => {
  sending = true;
  io.of(`/guild/${guild}`).to("pona! music").emit("ev", now());
  sending = false;
}).on("close", () => process.exit());
