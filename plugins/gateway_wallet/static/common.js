// What all ways to sign in share: finding their button, asking the gateway, saying how things stand, going on.

import { words } from "./words.js";

const ROOT = new URL("../../", import.meta.url);

export const address = (path) => new URL(path, ROOT);

/** An error whose message is for people. */
export class Told extends Error {}

/** Post JSON to a path of the gateway's; gives the answer, throws what it says is wrong. */
export async function post(button, path, body = {}) {
  const { add, csrf, invitation } = button.dataset;
  const headers = { "content-type": "application/json" };
  if (add === "true") headers["x-csrf-token"] = csrf;
  const asked = { ...body, ...(add === "true" ? { add: true } : {}), ...(invitation ? { invitation } : {}) };
  return read(await fetch(address(path), { method: "POST", headers, body: JSON.stringify(asked) }));
}

/** Get JSON from a path of the gateway's. */
export async function get(path) {
  return read(await fetch(address(path), { headers: { accept: "application/json" } }));
}

async function read(response) {
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw new Told(answer.error?.message ?? answer.error ?? words.failed);
}

/** Run something whenever a button is clicked; then go on, or say what is wrong. */
export function whenClicked(button, owner, run) {
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    show("");
    try {
      await run();
      goOn(owner);
    } catch (error) {
      show(error instanceof Told ? error.message : words.failed);
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}

/** The buttons of that name, each with the place below it for more. */
export const buttons = (name) =>
  [...document.querySelectorAll(`[data-sign-in="${name}"]`)].map((button) => ({
    button,
    panel: button.parentElement.querySelector(`[data-sign-in-panel="${name}"]`) ?? button,
  }));

/** Make an element with these properties and children. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function show(text) {
  const place = document.querySelector("[data-sign-in-status]");
  if (place) {
    place.textContent = text;
    place.hidden = text === "";
  }
}

function goOn({ dataset }) {
  const target = new URL(dataset.next || "account", ROOT);
  // Never to another site, whatever a link to this page says.
  location.assign(target.origin === location.origin ? target : address("account"));
}
