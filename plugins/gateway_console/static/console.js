// What the pages do better with a script: copying, local times, menus that close. Everything works without it.

const announce = document.querySelector("[data-announce]");

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  const label = button.querySelector("span");
  const before = label.textContent;
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      field.select(); // not allowed: ready for the keyboard
      return;
    }
    label.textContent = button.dataset.copied;
    if (announce) announce.textContent = button.dataset.copied;
    setTimeout(() => { label.textContent = before; }, 2000);
  });
}

const language = document.documentElement.lang;
const styles = { "[data-moment]": { dateStyle: "medium", timeStyle: "short" }, "[data-date]": { dateStyle: "medium" } };
for (const [kind, style] of Object.entries(styles)) {
  const format = new Intl.DateTimeFormat(language, style);
  for (const time of document.querySelectorAll(kind)) {
    time.title = time.textContent;
    time.textContent = format.format(new Date(time.dateTime));
  }
}

const open = () => document.querySelectorAll("details.menu[open], details.confirm[open]");
document.addEventListener("click", (event) => {
  for (const details of open()) if (!details.contains(event.target)) details.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const details of open()) {
    details.open = false;
    details.querySelector("summary").focus();
  }
});

for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", () => {
    // After the form is sent: a button that is disabled before would not be part of it.
    setTimeout(() => { for (const button of form.querySelectorAll("button")) button.disabled = true; });
  });
}
// A page that comes back from the browser's memory is usable again.
addEventListener("pageshow", (event) => {
  if (event.persisted) for (const button of document.querySelectorAll("form button")) button.disabled = false;
});
