// DID Connect: shows a QR code, and looks every second whether the wallet has answered.

import { address, buttons, get, make, post, Told, whenClicked } from "./common.js";
import { words } from "./words.js";

const SECOND = 1000;

/** Show the code below the button; gives a way to say how things stand. */
function shown(panel, token, url, cancel) {
  const code = make("img", { src: address(`api/did/login/qr?_t_=${token}`), alt: words.code, width: 240, height: 240 });
  const status = make("p", { role: "status", textContent: words.scan });
  const link = make("a", { href: url, textContent: words.open });
  const button = make("button", { type: "button", className: "button quiet", textContent: words.cancel });
  button.addEventListener("click", cancel);
  panel.replaceChildren(code, status, link, button);
  status.focus();
  return (state) => {
    code.hidden = state !== "created";
    link.hidden = state !== "created";
    status.textContent = words[state] ?? words.scan;
  };
}

for (const { button, panel } of buttons("did-connect")) {
  button.hidden = false;
  whenClicked(button, button, async () => {
    const { token, url } = await post(button, "api/did/login/token");
    let cancelled = false;
    const tell = shown(panel, token, url, () => {
      cancelled = true;
    });
    try {
      while (!cancelled) {
        await new Promise((resolve) => setTimeout(resolve, SECOND));
        const state = await get(`api/did/login/status?_t_=${token}`);
        if (state.status === "succeed") return;
        if (state.status === "error") throw new Told(state.error);
        tell(state.status);
      }
      await get(`api/did/login/timeout?_t_=${token}`);
      throw new Told(words.cancelled);
    } finally {
      panel.replaceChildren();
    }
  });
}
