// Short notes at the bottom, read out by screen readers, gone by themselves.
const box = document.getElementById("toasts");
const most = 3;

export function toast(text) {
  const note = document.createElement("p");
  note.className = "toast";
  note.textContent = text;
  box.append(note);
  while (box.childElementCount > most) box.firstChild.remove();
  setTimeout(() => note.remove(), 4200);
}
