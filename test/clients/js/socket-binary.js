// Bytes through the official Socket.IO client, against SUITE=sio-client, over either transport.
import { io } from "socket.io-client";
import { inBrowser, test, testInBrowser, equal, ok, once } from "./runner.js";

const text = new TextEncoder().encode("asdfasdf");

for (const transport of ["polling", "websocket"]) {
  const connect = (t) => t.use(io(t.url, { forceNew: true, transports: [transport] }));

  for (const [ask, answer] of [["doge", "doge"], ["getbin", "takebin"]]) {
    test(`${ask} over ${transport}`, async (t) => {
      const socket = connect(t);
      await once(socket, "connect");
      if (!inBrowser) socket.io.engine.binaryType = "arraybuffer";
      socket.emit(ask);
      const [got] = await once(socket, answer);
      if (transport === "polling" || inBrowser) ok(got instanceof ArrayBuffer, `got ${Object.prototype.toString.call(got)}`);
      equal(new Uint8Array(got), text);
    });
  }

  test(`bytes out, alone and in an object, over ${transport}`, async (t) => {
    const socket = connect(t);
    socket.emit("buffa", text.buffer);
    await once(socket, "buffack");
    socket.emit("jsonbuff", { hello: "lol", message: text.buffer, goodbye: "gotcha" });
    await once(socket, "jsonbuff-ack");
  });

  test(`an event with bytes before one without, over ${transport}`, async (t) => {
    const socket = connect(t);
    socket.emit("abuff1", text.buffer);
    socket.emit("abuff2", "please arrive second");
    await once(socket, "abuff2-ack");
  });

  test(`text is no bytes, over ${transport}`, async (t) => {
    const socket = connect(t);
    let taken = false;
    for (const event of ["buffack", "jsonbuff-ack", "back", "abuff2-ack"]) socket.on(event, () => (taken = true));
    for (const event of ["buffa", "blob", "abuff1"]) socket.emit(event, "asdf");
    socket.emit("abuff2", "nothing came before");
    socket.emit("jsonbuff", { hello: "lol", goodbye: "gotcha" });
    await socket.emitWithAck("echo", 1);
    ok(!taken, "taken for bytes");
  });

  test(`bytes there and back in an acknowledgement over ${transport}`, async (t) => {
    equal(new Uint8Array(await connect(t).emitWithAck("echo", text)), text);
  });

  testInBrowser(`blobs out, alone and in an object, over ${transport}`, async (t) => {
    const socket = connect(t);
    socket.emit("blob", new Blob(["hello world"]));
    await once(socket, "back");
    socket.emit("jsonblob", { hello: "lol", message: new Blob(["EEEEEEEEE"]), goodbye: "gotcha" });
    await once(socket, "jsonblob-ack");
  });

  testInBrowser(`blobs keep their order over ${transport}`, async (t) => {
    const socket = connect(t);
    socket.emit("blob1", new Blob(["BLOBBLOB"]));
    socket.emit("blob2", "second");
    socket.emit("blob3", new Blob(["BLOBBLOB"]));
    await once(socket, "blob3-ack");
  });
}
