"use strict";
const MOST_COLUMNS = 6;
const BILL_EVERY_MS = 300;
const BILL_TRIES = 15;
const form = document.getElementById("ask");
let stopping = null;

// Calls `saw` with every event's data of a stream of server-sent events.
async function events(body, saw) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let kept = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    kept += value;
    let end;
    while ((end = kept.indexOf("\n\n")) >= 0) {
      const lines = kept.slice(0, end).split("\n");
      kept = kept.slice(end + 2);
      for (const line of lines) {
        if (line.startsWith("data:") && !line.includes("[DONE]")) saw(JSON.parse(line.slice(5)));
      }
    }
  }
}

async function ask(model, column, signal) {
  const text = column.querySelector(".text");
  const figures = column.querySelector(".figures");
  const by = column.querySelector(".by");
  const began = performance.now();
  let first = null;
  column.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch("/dashboard/playground/ask", {
      method: "POST",
      signal,
      headers: { "content-type": "application/json", "x-csrf-token": form.dataset.token },
      body: JSON.stringify({
        model,
        prompt: document.getElementById("prompt").value,
        system: document.getElementById("system").value,
        max_tokens: Number(document.getElementById("most").value) || 512,
      }),
    });
    const id = answer.headers.get("x-tierwise-decision-id");
    if (!answer.ok) {
      const told = await answer.json().catch(() => ({}));
      throw new Error(told.error?.message || `HTTP ${answer.status}`);
    }
    by.textContent = answer.headers.get("x-tierwise-model") || model;
    let usage = null;
    await events(answer.body, (event) => {
      if (event.error) throw new Error(event.error.message);
      const piece = event.choices?.[0]?.delta?.content;
      if (piece) {
        first ??= performance.now() - began;
        text.append(piece);
      }
      if (event.model) by.textContent = event.model;
      if (event.usage) usage = event.usage;
    });
    const parts = [`${((performance.now() - began) / 1000).toFixed(1)} s`];
    if (first !== null) parts.push(`first words after ${(first / 1000).toFixed(1)} s`);
    if (usage) parts.push(`${usage.prompt_tokens} in, ${usage.completion_tokens} out`);
    figures.textContent = parts.join(" · ");
    column.setAttribute("aria-busy", "false");
    if (id) await bill(id, column, signal);
  } catch (error) {
    if (error.name === "AbortError") {
      if (!figures.textContent) figures.textContent = "Stopped.";
      return;
    }
    column.classList.add("failed");
    // A browser says of a gateway that is gone what only a programmer understands.
    const told = error instanceof TypeError ? "The gateway does not answer, or no more." : error.message;
    text.append(text.textContent ? `\n\n${told}` : told);
  } finally {
    column.setAttribute("aria-busy", "false");
  }
}

// What it came to is in the ledger a moment after its end.
async function bill(id, column, signal) {
  const address = `/dashboard/requests/${encodeURIComponent(id)}`;
  const came = column.querySelector(".bill");
  for (let tries = 0; tries < BILL_TRIES; tries += 1) {
    await new Promise((go) => { setTimeout(go, BILL_EVERY_MS); });
    if (signal.aborted) break;
    const answer = await fetch(`${address}?fragment=1`, { signal }).catch(() => null);
    if (!answer?.ok) continue;
    came.innerHTML = await answer.text();
    break;
  }
  const link = document.createElement("a");
  link.href = address;
  link.textContent = "Open the request";
  came.append(link);
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const chosen = [...form.querySelectorAll("input[name=model]:checked")].map((box) => box.value);
  const told = document.getElementById("told");
  if (!chosen.length) { told.textContent = "Choose at least one."; return; }
  if (chosen.length > MOST_COLUMNS) { told.textContent = `Choose ${MOST_COLUMNS} at most.`; return; }
  const answers = document.getElementById("answers");
  answers.replaceChildren();
  const go = document.getElementById("go");
  const stop = document.getElementById("stop");
  stopping = new AbortController();
  go.disabled = true;
  stop.disabled = false;
  told.textContent = "Asking…";
  const asked = chosen.map((model) => {
    const column = document.getElementById("answer").content.cloneNode(true).firstElementChild;
    column.querySelector("h2").textContent = model;
    column.querySelector(".text").setAttribute("aria-label", `Answer of ${model}`);
    answers.append(column);
    return ask(model, column, stopping.signal);
  });
  await Promise.allSettled(asked);
  go.disabled = false;
  stop.disabled = true;
  told.textContent = stopping.signal.aborted ? "Stopped." : `${chosen.length === 1 ? "One answer" : `${chosen.length} answers`}, all done.`;
});
document.getElementById("prompt")?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  if (!document.getElementById("go").disabled) form.requestSubmit();
});
document.getElementById("stop")?.addEventListener("click", () => stopping?.abort());
