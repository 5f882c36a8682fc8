"use strict";
for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "selected";
    }
    setTimeout(() => { button.textContent = "copy"; }, 2000);
  });
}
// While the campaign runs: load again, but not under somebody who is reading closely.
if ("running" in document.documentElement.dataset) {
  const hold = document.getElementById("hold");
  let touched = 0;
  for (const kind of ["pointermove", "keydown", "scroll", "pointerdown"]) {
    addEventListener(kind, () => { touched = Date.now(); }, { passive: true });
  }
  hold.addEventListener("click", () => {
    const held = hold.getAttribute("aria-pressed") !== "true";
    hold.setAttribute("aria-pressed", String(held));
    hold.textContent = held ? "held" : "hold this page";
  });
  setInterval(() => {
    const held = hold.getAttribute("aria-pressed") === "true";
    if (!held && Date.now() - touched > 10000 && String(getSelection()) === "") location.reload();
  }, 15000);
}
