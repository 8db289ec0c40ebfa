// Who is in the room, as far as one can see: the listener, who asked for tracks, who moved some.
import { person } from "./text.js";

const list = document.getElementById("people");
const most = 24; // remembered; whoever was seen first is forgotten first

export class People {
  #seen = new Map(); // user id → {name, did, you}

  /** Forgets everybody but the listener. */
  reset(me) {
    this.#seen = new Map([[me.id, { name: me.name, you: true, did: "" }]]);
    this.show();
  }

  /** Somebody was seen doing something, or nothing; value is a user or guild member. show shows it. */
  saw(value, did = "") {
    const who = person(value);
    if (!who || who.id === "0") return;
    const known = this.#seen.get(who.id);
    if (known) {
      known.did = did || known.did;
      return;
    }
    if (this.#seen.size >= most) this.#seen.delete([...this.#seen.keys()][1]); // the first is the listener
    this.#seen.set(who.id, { name: who.name, you: false, did });
  }

  show() {
    list.replaceChildren(...[...this.#seen].map(([id, p]) => {
      const row = document.createElement("li");
      row.dataset.testid = "person";
      row.classList.toggle("you", p.you);
      const face = document.createElement("span");
      face.className = "face";
      face.ariaHidden = "true";
      face.textContent = [...p.name][0]?.toUpperCase() ?? "?";
      face.style.background = `hsl(${Number(BigInt.asUintN(32, BigInt(id.replace(/\D/g, "") || 0)) * 137n % 360n)} 62% 74%)`;
      const who = document.createElement("span");
      who.className = "who";
      who.textContent = p.name;
      who.dir = "auto";
      row.append(face, who);
      if (p.did) {
        const did = document.createElement("span");
        did.className = "did";
        did.textContent = p.did;
        row.append(did);
      }
      return row;
    }));
  }
}
