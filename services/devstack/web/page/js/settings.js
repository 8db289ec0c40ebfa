// Which guild, and who listens: from the address and this browser's memory.

const keyOf = (auth) => `pona.key.${auth}`;

/** The listener's key: a made-up user where the stack allows that, else what was entered before. */
export function rememberedKey(auth) {
  const kept = localStorage.getItem(keyOf(auth));
  if (kept || auth !== "insecure-dev") return kept ?? "";
  const made = `user:4${String(crypto.getRandomValues(new Uint32Array(1))[0]).padStart(17, "0")}`;
  localStorage.setItem(keyOf(auth), made);
  return made;
}

export function rememberKey(auth, key) { localStorage.setItem(keyOf(auth), key); }

/** The guild in the address, such as /#100000000000000001; empty when there is none. */
export function addressedGuild() { return /^#(\d+)$/.exec(location.hash)?.[1] ?? ""; }

/** Asks for a guild and a key; resolves to {guild, key}, or null when the listener thinks better of it. */
export function askSettings(auth, guild, key) {
  const dialog = document.getElementById("settings");
  const guildInput = document.getElementById("settings-guild");
  const keyInput = document.getElementById("settings-key");
  const made = auth === "insecure-dev";
  document.getElementById("settings-key-text").textContent = made ? "User id (any number)" : "Discord OAuth token";
  keyInput.type = made ? "text" : "password";
  keyInput.pattern = made ? "[0-9]{1,20}" : ".+";
  guildInput.value = guild;
  keyInput.value = made ? key.replace(/^user:/, "") : key;
  dialog.returnValue = "cancel";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "open"
      ? { guild: guildInput.value, key: made ? `user:${keyInput.value}` : keyInput.value } : null), { once: true });
  });
}
