// What the clients from npm share: the same questions and answers as in harness.py.
import { deflateSync, crc32 } from "node:zlib";

export const [url, key, ...models] = process.argv.slice(2);
export const TEXT = "Grüße ✓ One two three.";
export const BUSY = "The fake service is busy.";
export const HELLO = "Say something.";
export const FAIL = "Please fail now.";
export const BREAK_OFF = "Please break off in the middle.";
export const ROME = "What is the weather in Rome?";
export const BOTH = "What is the weather in Rome and in Oslo?";
export const LOOK = "What is in this picture?";
export const WHO = "Who invented the program?";
export const WEATHER = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
export const PERSON = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
  additionalProperties: false,
};

class NotRemembered extends Error {}

export const isMock = (model) => model.startsWith("mock/");
export const weather = (city) => (city === "Oslo" ? "Snow" : "Sun");

/** A PNG, three pixels wide and two high. */
export function picture() {
  const size = (number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(number >>> 0);
    return bytes;
  };
  const chunk = (name, data) => {
    const named = Buffer.concat([Buffer.from(name), data]);
    return Buffer.concat([size(data.length), named, size(checksum(named))]);
  };
  const head = Buffer.concat([size(3), size(2), Buffer.from([8, 2, 0, 0, 0])]);
  const rows = deflateSync(Buffer.alloc(2 * (1 + 9)));
  const begin = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([begin, chunk("IHDR", head), chunk("IDAT", rows), chunk("IEND", Buffer.alloc(0))]);
}

/** CRC-32, which older versions of Node.js do not have. */
function checksum(bytes) {
  if (crc32) return crc32(bytes);
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}

export function same(got, expected) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)];
  if (a !== b) throw new Error(`got ${a} instead of ${b}`);
}

/** Fail unless the answer holds what the tools said; with `remembers`, the model must have got its thoughts back, too. */
export function told(model, text, cities, remembers = false) {
  if (isMock(model)) return same(text, cities.length === 1 ? ROME : BOTH);
  const right = cities.map((city) => `weather(${city}) gave ${weather(city)}.`).join(" ");
  if (remembers && text === right) throw new NotRemembered();
  same(text, remembers ? `${right} I remember.` : right);
}

export function pictured(model, text) {
  const wanted = isMock(model) ? LOOK : "A picture of 3 by 2 pixels.";
  if (!text.includes(wanted)) throw new Error(`the picture was not seen: ${text}`);
}

export function person(model, fields) {
  if (isMock(model)) return same([typeof fields.name, typeof fields.age], ["string", "number"]);
  same([fields.name, fields.age], ["Ada", 36]);
}

/** Call what must fail, and return its error. */
export async function refuses(call, kind, words = "") {
  let got;
  try {
    got = await call();
  } catch (error) {
    if (!(error instanceof kind)) throw error;
    if (!String(error.message).includes(words)) throw new Error(`the error does not say ${words}: ${error.message}`);
    return error;
  }
  throw new Error(`no error was raised, but ${JSON.stringify(got)} was given`);
}

export function broken(error) {
  const said = [error, error.cause, error.cause?.cause].join(" "); // those of fetch say it in their cause
  if (!/closed the connection|broke off|cut|other side closed/i.test(said)) {
    throw new Error(`another error than that of a cut stream: ${said}`);
  }
}

/** Try every feature with every model; print a line of JSON for each. */
export async function main(cells) {
  for (const model of models) {
    for (const [feature, cell] of Object.entries(cells)) {
      const line = { model, feature, outcome: "pass", detail: "" };
      try {
        await cell(model);
      } catch (error) {
        line.outcome = "error";
        line.detail =
          error instanceof NotRemembered ? "the thoughts were not remembered" : `${error.name}: ${error.message}`;
        line.trace = String(error.stack).slice(0, 3000);
      }
      console.log(JSON.stringify(line));
    }
  }
}
