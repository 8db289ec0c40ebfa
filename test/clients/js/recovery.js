// Connection state recovery with the official client, against SUITE=sio-client.
import { io } from "socket.io-client";
import { test, equal, ok, once } from "./runner.js";

const connect = (t, options = {}) => t.use(io(t.url, { forceNew: true, reconnectionDelay: 10, ...options }));

/** Cuts the connection as a network does: no packet says so. */
function cut(socket) {
  const { engine } = socket.io;
  if (engine.transport.name === "websocket") engine.transport.ws.close();
  else engine.transport.onError("cut off");
}

for (const transport of ["polling", "websocket"]) {
  for (const [how, lose] of [["cut off", cut], ["closed", (socket) => socket.io.engine.close()]]) {
    for (const seen of ["nothing", "an event"]) test(`${how} over ${transport}, a client that has seen ${seen} is the same socket`, async (t) => {
      const socket = connect(t, { transports: [transport] });
      equal(socket.recovered, false);
      await once(socket, "connect");
      if (seen === "an event") {
        socket.emit("hi"); // its answer has an offset
        await once(socket, "hi");
      }
      const { id } = socket;
      lose(socket);
      await once(socket, "connect");
      equal([socket.recovered, socket.id, await socket.emitWithAck("getId")], [true, id, id]);
    });
  }
}

test("a client that has left comes back as another", async (t) => {
  const socket = connect(t);
  socket.emit("hi");
  await once(socket, "hi");
  const { id } = socket;
  socket.disconnect().connect();
  await once(socket, "connect");
  ok(!socket.recovered && socket.id !== id, `recovered ${socket.recovered}, ${socket.id} after ${id}`);
});

test("what was sent while the client was away comes first, each event once and in order", async (t) => {
  const socket = connect(t, { transports: ["websocket"] });
  const got = [];
  socket.on("takeUtf8", (text) => got.push(text));
  socket.emit("hi");
  await once(socket, "hi");
  // The events go out while this end of the connection is gone, and the server has not noticed.
  socket.emit("getUtf8");
  cut(socket);
  await once(socket, "connect");
  equal(socket.recovered, true);
  await socket.emitWithAck("echo", "after them");
  equal(got, ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"]);
});

test("bytes keep their place before the offset, which applications see", async (t) => {
  const socket = connect(t);
  socket.emit("doge");
  const [bytes, offset, ...more] = await once(socket, "doge");
  equal([new Uint8Array(bytes), typeof offset, more.length], [new TextEncoder().encode("asdfasdf"), "string", 0]);
  cut(socket);
  await once(socket, "connect");
  equal(socket.recovered, true);
});
