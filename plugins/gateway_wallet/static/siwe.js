// Sign-In with Ethereum: finds the wallets of this browser (EIP-6963), lets one sign what the gateway wrote.

import { buttons, make, post, Told, whenClicked } from "./common.js";
import { words } from "./words.js";

const wallets = new Map();
const found = buttons("siwe");

const reveal = () => {
  for (const { button } of found) button.hidden = !(wallets.size || window.ethereum);
};

window.addEventListener("eip6963:announceProvider", ({ detail }) => {
  wallets.set(detail.info.uuid, detail);
  reveal();
});
window.dispatchEvent(new Event("eip6963:requestProvider"));
window.addEventListener("load", reveal);
reveal();

/** The wallet to use: the only one, or the one chosen. */
async function wallet(panel) {
  if (wallets.size > 1) return choose(panel);
  return [...wallets.values()][0]?.provider ?? window.ethereum;
}

function choose(panel) {
  return new Promise((resolve) => {
    const choices = [...wallets.values()].map(({ info, provider }) => {
      const button = make("button", { type: "button", className: "button quiet", textContent: info.name });
      button.addEventListener("click", () => {
        panel.replaceChildren();
        resolve(provider);
      });
      return button;
    });
    panel.replaceChildren(make("p", { textContent: words.chooseWallet }), ...choices);
    choices[0].focus();
  });
}

/** Ask the wallet; 4001 says that its owner declined (EIP-1193). */
async function ask(provider, method, params) {
  try {
    return await provider.request({ method, params });
  } catch (error) {
    throw new Told(error.code === 4001 ? words.cancelled : words.failed);
  }
}

const toHex = (text) =>
  `0x${[...new TextEncoder().encode(text)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;

for (const { button, panel } of found) {
  whenClicked(button, button, async () => {
    const provider = await wallet(panel);
    const [address] = await ask(provider, "eth_requestAccounts", []);
    const chain = Number(await ask(provider, "eth_chainId", []));
    const { message } = await post(button, "sign-in/siwe/message", { address, chain });
    const signature = await ask(provider, "personal_sign", [toHex(message), address]);
    await post(button, "sign-in/siwe", { message, signature });
  });
}
