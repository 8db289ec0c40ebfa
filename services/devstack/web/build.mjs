// Puts the official Socket.IO client, as its package ships it for browsers, where go:embed finds it.
// The page itself is embedded as it is written and needs no build.
import { copyFile } from "node:fs/promises";

const client = new URL("node_modules/socket.io-client/dist/socket.io.esm.min.js", import.meta.url);
await copyFile(client, new URL("dist/socket.io.esm.min.js", import.meta.url));
