// Passkeys: asks the browser to use one, or to make one for the account that is signed in, or for a new account.

import { buttons, make, post, Told, whenClicked } from "./common.js";
import { words } from "./words.js";

const toBytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

/** Ask the browser; what it throws becomes words. */
async function ask(request) {
  try {
    return await request();
  } catch (error) {
    if (error.name === "InvalidStateError") throw new Told(words.passkeyExists);
    throw new Told(error.name === "NotAllowedError" ? words.cancelled : words.failed);
  }
}

const told = (credential, response) => ({
  id: credential.id,
  rawId: toText(credential.rawId),
  type: credential.type,
  clientExtensionResults: credential.getClientExtensionResults(),
  response,
});

async function signIn(button, offerNew) {
  const { publicKey, sign_up: signUp } = await post(button, "sign-in/passkey/options");
  if (signUp) offerNew();
  const credential = await ask(() =>
    navigator.credentials.get({ publicKey: { ...publicKey, challenge: toBytes(publicKey.challenge) } }),
  );
  const { clientDataJSON, authenticatorData, signature, userHandle } = credential.response;
  await post(button, "sign-in/passkey", {
    credential: told(credential, {
      clientDataJSON: toText(clientDataJSON),
      authenticatorData: toText(authenticatorData),
      signature: toText(signature),
      userHandle: userHandle ? toText(userHandle) : null,
    }),
  });
}

async function register(button) {
  const { publicKey } = await post(button, "sign-in/passkey/register/options");
  const credential = await ask(() =>
    navigator.credentials.create({
      publicKey: {
        ...publicKey,
        challenge: toBytes(publicKey.challenge),
        user: { ...publicKey.user, id: toBytes(publicKey.user.id) },
        excludeCredentials: publicKey.excludeCredentials.map((known) => ({ ...known, id: toBytes(known.id) })),
      },
    }),
  );
  const { clientDataJSON, attestationObject } = credential.response;
  const platform = navigator.userAgentData?.platform;
  await post(button, "sign-in/passkey/register", {
    label: platform ? `Passkey (${platform})` : "Passkey",
    credential: told(credential, {
      clientDataJSON: toText(clientDataJSON),
      attestationObject: toText(attestationObject),
      transports: credential.response.getTransports?.() ?? [],
    }),
  });
}

for (const { button, panel } of buttons("passkey")) {
  const offerNew = () => {
    if (panel === button || panel.childElementCount) return;
    const another = make("button", { type: "button", className: "button quiet", textContent: words.newPasskey });
    whenClicked(another, button, () => register(button));
    panel.append(another);
  };
  button.hidden = !window.PublicKeyCredential;
  if (button.dataset.add === "true") {
    whenClicked(button, button, () => register(button));
  } else {
    whenClicked(button, button, () => signIn(button, offerNew));
    if (button.dataset.invitation && !button.hidden) offerNew();
  }
}
