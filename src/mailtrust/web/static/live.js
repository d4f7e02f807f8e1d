// Exchanges what changed, where it stands, while the page is open.  Everything works without it, by loading anew.
"use strict";

const body = document.body;
const liveLine = document.getElementById("live");
const liveState = document.getElementById("live-state");
const said = document.getElementById("said");
const filterBox = document.getElementById("q");
const RETRY_MILLISECONDS = 2000;
const FILTER_PARAMETERS = ["q", "state", "sort", "order"];

let version = body.dataset.version;
let lookedAt = Date.parse(body.dataset.looked) || 0;
let clockSkew = 0;
let channel = null;
let fetching = null;
let isWantedAgain = false;
let channelState = "";
let isOld = false;

function keyed(root) {
  return new Map([...root.querySelectorAll("[data-live]")].map((one) => [one.dataset.live, one]));
}

function copyAttributes(from, to) {
  for (const { name } of [...to.attributes]) if (!from.hasAttribute(name)) to.removeAttribute(name);
  for (const { name, value } of from.attributes) if (to.getAttribute(name) !== value) to.setAttribute(name, value);
}

// The focus survives the exchange of what it stands in, if the same control is there again.
function keepingFocus(region, exchange) {
  const held = region.contains(document.activeElement) ? document.activeElement : null;
  const place = held ? [...region.querySelectorAll("a, button, pre, input, summary")].indexOf(held) : -1;
  const address = held && held.getAttribute("href");
  const open = new Set([...region.querySelectorAll("details[open][id]")].map((one) => one.id));
  exchange();
  for (const one of region.querySelectorAll("details[id]")) if (open.has(one.id)) one.open = true;
  if (!held) return;
  const found = [...region.querySelectorAll("a, button, pre, input, summary")];
  const again = found.find((one) => address && one.getAttribute("href") === address) || found[place];
  if (again) again.focus({ preventScroll: true });
}

// What one reads stays where it is while lines above it come and go; at the top one goes on seeing the top.
// The browser's own way (off in the style sheet) gives up where what it holds on to is exchanged itself.
function keepingPlace(change) {
  const top = (one) => one.getBoundingClientRect().top;
  const seen = [document.activeElement, ...document.querySelectorAll("[data-live]")]
    .filter((one) => one && one !== body).map((one) => [one, top(one)])
    .filter(([, at]) => at >= 0 && at < innerHeight);
  const isAtTop = scrollY === 0;
  change();
  const [held, before] = seen.find(([one]) => one.isConnected) || [];
  if (held && !isAtTop) scrollBy({ top: top(held) - before, behavior: "instant" });
}

function exchange(next) {
  const nextKeyed = keyed(next);
  const present = keyed(document);
  for (const [key, one] of nextKeyed) {
    const mine = present.get(key);
    if (!mine) continue;
    const isDifferent = mine.innerHTML !== one.innerHTML;
    copyAttributes(one, mine);
    if (!isDifferent) continue;
    keepingFocus(mine, () => { mine.innerHTML = one.innerHTML; });
    if (mine.matches("tr")) {
      mine.classList.remove("changed");
      requestAnimationFrame(() => mine.classList.add("changed"));
    }
  }
  for (const list of document.querySelectorAll("[data-list]")) {
    const wanted = next.querySelector(`[data-list="${list.dataset.list}"]`);
    if (wanted) arrange(list, wanted, present);
  }
  wireUp(document);
}

// Adds, removes and moves; what stands where it should is left alone, so that nothing jumps.
function arrange(list, wanted, present) {
  const keys = new Set([...wanted.children].map((one) => one.dataset.live));
  for (const one of [...list.children]) if (!keys.has(one.dataset.live)) one.remove();
  const held = document.activeElement;
  let place = list.firstElementChild;
  for (const one of [...wanted.children]) {
    const mine = present.get(one.dataset.live) || document.importNode(one, true);
    if (mine === place) { place = place.nextElementSibling; continue; }
    list.insertBefore(mine, place);
  }
  if (held && held !== document.activeElement && list.contains(held)) held.focus({ preventScroll: true });
}

async function refresh(address = location.href) {
  if (fetching) { isWantedAgain = true; return; }
  fetching = (async () => {
    const answer = await fetch(address, { cache: "no-store", headers: { Accept: "text/html" } });
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    const heading = (page) => page.querySelector("[data-say]")?.textContent;
    const before = heading(document);
    if (answer.status !== 200 && answer.status !== 404) return;
    if (next.body.dataset.version) version = next.body.dataset.version;
    lookedAt = Date.parse(next.body.dataset.looked) || lookedAt;
    keepingPlace(() => { exchange(next); filter(); });
    showAge();
    if (heading(document) && heading(document) !== before) said.textContent = heading(document);
  })();
  try { await fetching; } catch { /* the channel says that the server is away, and comes back by itself */ }
  fetching = null;
  if (isWantedAgain) { isWantedAgain = false; await refresh(); }
}

function connect() {
  if (channel || document.hidden) return;
  channel = new EventSource("/live");
  channel.addEventListener("look", (event) => {
    const told = JSON.parse(event.data);
    if (told.looked) { lookedAt = Date.parse(told.looked); clockSkew = Math.min(clockSkew || Infinity, Date.now() - lookedAt); }
    showAge();
    setState("on");
    if (told.version !== version) refresh();
  });
  channel.addEventListener("error", () => {
    setState("lost");
    // A browser gives up for good after an answer that is no stream, as a proxy gives while we are away.
    if (channel && channel.readyState === EventSource.CLOSED) {
      disconnect();
      setTimeout(connect, RETRY_MILLISECONDS);
    }
  });
}

function disconnect() {
  if (channel) channel.close();
  channel = null;
}

function setState(next) {
  channelState = next;
  showState();
}

// What is old is not known: a page that lost its server must not stay green.
function showAge() {
  const time = document.getElementById("looked");
  if (!time || !lookedAt) return;
  const stamp = new Date(lookedAt).toISOString();
  time.dateTime = stamp;
  time.textContent = stamp.slice(0, 19).replace("T", " ") + "Z";
  const age = (Date.now() - lookedAt - Math.min(clockSkew, 0)) / 1000;
  isOld = age > Number(body.dataset.staleAfter);
  body.classList.toggle("is-old", isOld);
  showState();
}

// One line for both: that the page is old outweighs that its server is away, so that the two never take turns in it.
function showState() {
  if (!liveLine) return;
  for (const one of ["on", "lost"]) liveLine.classList.toggle(one, one === channelState);
  liveLine.classList.toggle("old", isOld);
  const text = liveLine.dataset[isOld ? "old" : channelState];
  if (!text || liveState.textContent === text) return;
  liveState.textContent = text;
  if (isOld) said.textContent = text;
}

function filter() {
  if (!filterBox) return;
  const words = filterBox.value.toLowerCase().split(/\s+/).filter(Boolean);
  const state = new URLSearchParams(location.search).get("state") || "";
  const rows = document.querySelectorAll("#grid tbody tr");
  let shown = 0;
  for (const row of rows) {
    const found = row.dataset.find;
    const matches = words.every((word) => found.includes(word)) && (!state || row.classList.contains(state));
    if (row.hidden === matches) row.hidden = !matches;
    if (matches) shown += 1;
  }
  const line = document.getElementById("shown");
  const text = line.dataset.said.replace("{shown}", shown).replace("{count}", rows.length);
  if (line.textContent !== text) line.textContent = text;
}

function addressWith(changes) {
  const address = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value) address.searchParams.set(name, value); else address.searchParams.delete(name);
  }
  return address;
}

// Sorting and choosing a state: the same address that the link leads to, without leaving the page.
async function go(event) {
  const link = event.target.closest("a.go");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  const wanted = new URL(link.href).searchParams;
  const changes = Object.fromEntries(FILTER_PARAMETERS.map((name) => [name, wanted.get(name) || ""]));
  history.replaceState(null, "", addressWith({ ...changes, q: filterBox ? filterBox.value : "" }));
  await refresh();
}

async function copy(event) {
  const button = event.target.closest("button.copy");
  if (!button) return;
  const text = button.parentElement.querySelector("code").textContent;
  try {
    await navigator.clipboard.writeText(text);
    said.textContent = button.dataset.copied;
    const before = button.textContent;
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = before; }, 2000);
  } catch {
    getSelection().selectAllChildren(button.parentElement.querySelector("code"));
  }
}

function wireUp(root) {
  for (const button of root.querySelectorAll("button.copy[hidden]")) button.hidden = false;
}

document.addEventListener("click", go);
document.addEventListener("click", copy);
document.addEventListener("visibilitychange", () => {
  // Six connections are all that a browser gives a host: what nobody sees keeps none.
  if (document.hidden) disconnect(); else connect();
});
addEventListener("pagehide", disconnect);
addEventListener("pageshow", connect);
if (filterBox) {
  filterBox.addEventListener("input", () => {
    filter();
    history.replaceState(null, "", addressWith({ q: filterBox.value.trim() }));
  });
  filterBox.form.addEventListener("submit", (event) => event.preventDefault());
  filterBox.form.querySelector("button").hidden = true;
}
wireUp(document);
filter();
showAge();
setInterval(showAge, 1000);
connect();
