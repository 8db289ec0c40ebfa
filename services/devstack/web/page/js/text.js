// How things are said.

/** 83000 → "1:23", 3723000 → "1:02:03". */
export function clock(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const pad = (n) => String(n).padStart(2, "0");
  const h = Math.floor(s / 3600);
  return h ? `${h}:${pad(Math.floor(s / 60) % 60)}:${pad(s % 60)}` : `${Math.floor(s / 60)}:${pad(s % 60)}`;
}

/** A user or guild member, in whichever of Discord's shapes, as {id, name}; null when it is none. */
export function person(value) {
  const user = value?.user ?? value;
  if (!user || typeof user !== "object" || !user.id) return null;
  return { id: String(user.id), name: value.nickname ?? value.nick ?? user.globalName ?? user.global_name ?? user.username ?? String(user.id) };
}
