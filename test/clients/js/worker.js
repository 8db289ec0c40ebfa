// An Engine.IO client in a worker: asks for a text and for bytes, and passes on what comes.
import { Socket } from "./node_modules/engine.io-client/dist/engine.io.esm.min.js";

onmessage = ({ data: url }) => {
  const socket = new Socket(url, { path: "/engine.io/" });
  socket.binaryType = "arraybuffer";
  socket.on("upgrade", () => ["give utf8", "give binary"].forEach((m) => socket.send(m)));
  socket.on("message", (message) => postMessage(message));
};
