"use strict";
const RENEW_MS = 5000;

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = `${time.dateTime.replace("T", " ").replace("Z", "")} UTC`;
    time.textContent = at.toLocaleString(undefined, {
      year: at.getFullYear() === new Date().getFullYear() ? undefined : "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
    });
  }
}

// A chart that is wider than the screen shows its newest part first.
function newest(root) {
  for (const part of root.querySelectorAll("[data-newest]")) part.scrollLeft = part.scrollWidth;
}

function themeSwitch() {
  const button = document.getElementById("theme");
  if (!button) return;
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("tierwise-theme", root.dataset.theme); } catch { /* for this page alone */ }
  });
}

// The overview renews itself, unless nobody looks or something in it is in use.
function live() {
  const part = document.getElementById("live");
  if (!part) return;
  const told = document.getElementById("renewed");
  const pulse = document.getElementById("pulse");
  let last = null;
  const renew = async () => {
    if (document.hidden || part.contains(document.activeElement) || part.querySelector("details[open]")) return;
    try {
      const answer = await fetch(part.dataset.live, { headers: { accept: "text/html" } });
      if (answer.status === 401) { location.assign("/dashboard/login"); return; }
      if (!answer.ok) throw new Error(String(answer.status));
      const text = await answer.text();
      if (text !== last) { part.innerHTML = text; localTimes(part); newest(part); last = text; }
      told.textContent = `Renewed at ${new Date().toLocaleTimeString()}.`;
      pulse.classList.remove("off");
    } catch {
      told.textContent = "The gateway does not answer just now; trying again.";
      pulse.classList.add("off");
    }
  };
  setInterval(renew, RENEW_MS);
}

function confirmations() {
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });
}

function copying() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copy);
      field.select();
      try { await navigator.clipboard.writeText(field.value); button.textContent = "Copied"; }
      catch { button.textContent = "Press Ctrl+C"; }
    });
  }
}

// A menu closes by Escape and when the focus leaves it.
function menus() {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
}

localTimes(document);
newest(document);
document.querySelector(".top nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
themeSwitch();
live();
confirmations();
copying();
menus();
