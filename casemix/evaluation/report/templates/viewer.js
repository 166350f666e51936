"use strict";

// Chooses which of the page's patients is shown. All content is in the page already; this script
// never builds markup from records: it sets text and classes only.
document.documentElement.classList.add("js");

document.addEventListener("DOMContentLoaded", () => {
  const byId = (id) => document.getElementById(id);
  const patients = [...document.querySelectorAll(".patient")];
  const choices = [...document.querySelectorAll("input[name=cohort]")];
  const [search, list, listBox, masks] = ["search", "list", "list-box", "masks"].map(byId);
  const haystacks = new Map(
    patients.map((p) => [p, `${p.dataset.id} ${p.dataset.summary}`.toLowerCase()]),
  );
  let found = [];
  let current = null;

  const cohort = () => choices.find((choice) => choice.checked).value;

  function entry(patient) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const summary = document.createElement("span");
    summary.textContent = patient.dataset.summary;
    button.type = "button";
    button.append(patient.dataset.id, summary);
    button.addEventListener("click", () => show(patient));
    item.append(button);
    return item;
  }

  function refresh() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const mine = patients.filter((p) => p.dataset.cohort === cohort());
    found = mine.filter((p) => words.every((word) => haystacks.get(p).includes(word)));
    list.replaceChildren(...found.map(entry));
    show(found.includes(current) ? current : found[0] ?? null);
  }

  function show(patient) {
    current?.classList.remove("current");
    patient?.classList.add("current");
    current = patient;
    const at = found.indexOf(patient);
    byId("nobody").hidden = found.length > 0;
    byId("found").textContent = patient ? `Patient ${at + 1} of ${found.length} found` : "None found";
    byId("previous").disabled = at <= 0;
    byId("next").disabled = at < 0 || at >= found.length - 1;
    [...list.querySelectorAll("button")].forEach((button, i) => {
      button.setAttribute("aria-current", String(i === at));
      if (i === at && listBox.open) button.scrollIntoView({ block: "nearest" });
    });
    if (patient) {
      history.replaceState(null, "", `#${patient.dataset.cohort}/${encodeURIComponent(patient.dataset.id)}`);
    }
  }

  function leaf(step) {
    const next = found[found.indexOf(current) + step];
    if (next) show(next);
  }

  function openAddress() {
    const cut = location.hash.indexOf("/");
    const choice = choices.find((c) => c.value === location.hash.slice(1, cut));
    if (!choice) return;
    const id = decodeURIComponent(location.hash.slice(cut + 1));
    choice.checked = true;
    current?.classList.remove("current");
    current = patients.find((p) => p.dataset.cohort === choice.value && p.dataset.id === id) ?? null;
  }

  function showMasks() {
    document.body.classList.toggle("masks-off", !masks.checked);
  }

  const keys = {
    ArrowLeft: () => leaf(-1),
    ArrowRight: () => leaf(1),
    "/": () => search.focus(),
    m: () => masks?.click(),
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target === search;
    if (typing && event.key === "Escape") search.blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    // In a radio group the arrow keys choose; that is the browser's own behaviour.
    if (event.target.type === "radio" && event.key.startsWith("Arrow")) return;
    event.preventDefault();
    keys[event.key]();
  });
  choices.forEach((choice) => choice.addEventListener("change", refresh));
  search.addEventListener("input", refresh);
  byId("previous").addEventListener("click", () => leaf(-1));
  byId("next").addEventListener("click", () => leaf(1));
  masks?.addEventListener("change", showMasks);
  addEventListener("hashchange", () => { openAddress(); refresh(); });
  if (matchMedia("(max-width: 760px)").matches) listBox.open = false;
  openAddress();
  refresh();
});
