// The page: takes pictures, has one after the other judged, then explained, and says what happens.

import { ask, key, Refused, Stopped } from "./api.js";
import { Card, megabytes } from "./card.js";

const $ = (id) => document.getElementById(id);
// What a request may hold, by /v1/detectors; null until it has answered.
let service = null;
let lacksKey = false;
const pictures = [];
const say = (words) => { $("status").textContent = words; };

/** A picture on its way to a verdict: "waiting", "judging", "judged", "failed" or "locked" (a key is needed). */
class Picture {
  constructor(file) {
    this.file = file;
    this.query = settings();
    this.state = "waiting";
    this.row = null;
    this.wanted = null; // The heat-map that is wanted: {evidence, view}.
    this.mapStopper = null; // While one is being made.
    this.stopper = new AbortController();
    this.card = new Card(file, {
      again: () => this.restart(),
      halt: () => this.stop(),
      remove: () => this.remove(),
      opened: () => this.row && !this.card.isExplained && this.explain("fake", "0"),
      explain: (evidence, view) => this.explain(evidence, view, true),
    });
  }

  get isMapping() {
    return Boolean(this.wanted || this.mapStopper);
  }

  get isGoing() {
    return this.state === "waiting" || this.state === "judging";
  }

  stop() {
    this.stopper.abort();
    if (this.state === "waiting") {
      this.#failed(new Stopped());
    }
    if (this.isMapping) {
      this.#stopMap();
      this.card.notExplained("You stopped it.");
    }
    count();
  }

  /** Tries again what did not come about: the heat-map of a picture that is judged, or the verdict. */
  restart() {
    if (this.row && this.row.score !== null) {
      this.explain(...this.card.chosen, true);
      return;
    }
    this.stopper = new AbortController();
    this.state = "waiting";
    this.row = null;
    this.card.doing("Waiting");
    count();
    judging.wake();
  }

  remove() {
    this.stopper.abort();
    this.#stopMap();
    pictures.splice(pictures.indexOf(this), 1);
    const next = this.card.element.nextElementSibling ?? this.card.element.previousElementSibling;
    this.card.forget();
    (next?.querySelector("summary") ?? $("files")).focus();
    count();
  }

  /** Has the heat-map made, unless it would explain a score that is not used; who asked is told when it is there. */
  explain(evidence, view, isAsked = false) {
    if (!this.row || this.row.score === null) {
      return;
    }
    if (!this.row.is_used) {
      this.card.ready.then(() => this.card.unexplained());
      return;
    }
    this.#stopMap(); // Who changes his mind wants the newest alone.
    this.wanted = { evidence, view, isAsked };
    this.card.explaining();
    count();
    explaining.wake();
  }

  async judge() {
    const { file, card, stopper: { signal } } = this;
    this.state = "judging";
    card.doing("Sending", 0);
    try {
      const limit = service?.limits.file_bytes;
      if (limit && file.size > limit) {
        throw new Refused(413, "too_large",
          `Expected a file of at most ${megabytes(limit)}. Received: ${megabytes(file.size)}. Send a smaller version.`);
      }
      const answer = await ask("v1/predict", {
        file, signal, query: { ...this.query, provenance: true }, waiting: this.#waiting(),
        sent: (share) => share < 1
          ? card.doing(`Sending: ${Math.floor(100 * share)}%`, share) : card.doing("Judging"),
      });
      this.#judged(answer.results[0]);
    } catch (error) {
      if (error.results?.length) {
        this.#judged(error.results[0]);
      } else {
        this.#failed(error);
      }
    }
    count();
  }

  async map() {
    const { file, card } = this;
    const { evidence, view, isAsked } = this.wanted;
    this.wanted = null;
    this.mapStopper = new AbortController();
    const { signal } = this.mapStopper;
    const asked = {
      file, signal, query: { ...this.query, detector: this.row.detector, evidence, view },
      waiting: (seconds) => card.explaining(`The service is busy. The heat-map is asked for again in ${seconds} s.`),
    };
    try {
      await card.ready;
      const { heatmap } = await ask("v1/explain", asked);
      const drawn = card.canShow ? null : await ask("v1/explain", { ...asked, picture: true });
      if (signal.aborted) {
        throw new Stopped();
      }
      card.explained(heatmap, drawn);
      if (isAsked) {
        say(`${file.name}: ${heatmap.text}`);
      }
    } catch (error) {
      if (!signal.aborted) { // Else something else is shown by now.
        card.notExplained(error.message);
        say(`${file.name}: there is no heat-map. ${error.message}`);
      }
    }
    this.mapStopper = null;
    count();
  }

  #stopMap() {
    this.wanted = null;
    this.mapStopper?.abort();
  }

  #judged(row) {
    const detector = service?.detectors.find((one) => one.name === row.detector);
    this.row = row;
    this.state = "judged";
    this.card.views(detector?.views ?? []);
    this.card.judged(row, detector?.limits[0] ?? "");
    say(`${this.file.name}: ${row.words}. ${row.answers.conclusion}`);
    if (this.card.isOpen) {
      this.explain("fake", "0");
    }
  }

  #failed(error) {
    const isLocked = error instanceof Refused && error.status === 401;
    this.state = isLocked ? "locked" : "failed";
    if (error instanceof Stopped) {
      this.card.failed("Stopped", "You stopped this picture before it was judged.");
    } else if (isLocked) {
      this.card.failed("A key is needed", aboutKey(error));
      askForKey(aboutKey(error));
    } else {
      this.card.failed("No verdict", error.message);
      say(`${this.file.name}: no verdict. ${error.message}`);
    }
  }

  #waiting() {
    let isNew = true;
    return (seconds, why) => {
      this.card.doing(`${why} Trying again in ${seconds} s.`);
      if (isNew) { // Each second would be too much for who listens.
        say(`${this.file.name}: the service is busy. It is tried again by itself.`);
        isNew = false;
      }
    };
  }
}

/** Works through what `next` gives, one at a time, whenever it is woken. */
class Worker {
  constructor(next, work) {
    Object.assign(this, { next, work, isBusy: false });
  }

  async wake() {
    if (this.isBusy) {
      return;
    }
    this.isBusy = true;
    for (let one = this.next(); one; one = this.next()) {
      await this.work(one);
    }
    this.isBusy = false;
  }
}

const judging = new Worker(() => pictures.find((one) => one.state === "waiting"), (one) => one.judge());
const explaining = new Worker(() => pictures.find((one) => one.wanted), (one) => one.map());

// Fields of the error budget, in percent, with what they are called.
const SHARES = { "max-fpr": "False alarms", "max-fnr": "Missed fakes" };
const wrongShare = () => Object.keys(SHARES).find((id) => !$(id).validity.valid);

/** What the form says, as the service takes it; nothing may be wrong in it. */
function settings() {
  const share = (id) => ($(id).value ? Number($(id).value) / 100 : null);
  return {
    detector: $("detector").value, ignore_ood: $("ignore-ood").checked,
    max_fpr: share("max-fpr"), max_fnr: share("max-fnr"),
  };
}

function add(files) {
  if (files.length && wrongShare()) {
    $("settings").open = true;
    $(wrongShare()).reportValidity();
    return;
  }
  const taken = [...files].map((file) => new Picture(file));
  if (!taken.length) {
    return;
  }
  const isFirst = !pictures.length;
  pictures.push(...taken);
  $("cards").append(...taken.map((one) => one.card.element));
  count();
  if (isFirst || taken.length === 1) {
    taken[0].card.open();
  }
  taken[0].card.element.scrollIntoView({ block: "nearest" });
  say(taken.length === 1 ? `${taken[0].file.name} was added.` : `${taken.length} pictures were added.`);
  judging.wake();
}

/** What stands above the pictures. */
function count() {
  const left = pictures.filter((one) => one.isGoing).length;
  const done = pictures.length - left;
  $("results-title").textContent = left ? `Pictures: ${done} of ${pictures.length} done` : `Pictures: ${pictures.length}`;
  $("results").hidden = !pictures.length;
  $("intake").classList.toggle("compact", pictures.length > 0);
  $("stop").hidden = pictures.filter((one) => one.isGoing || one.isMapping).length < 2;
  $("save").hidden = !pictures.some((one) => one.row);
  $("clear").hidden = left > 0;
}

function save() {
  const rows = pictures.filter((one) => one.row).map((one) => one.row);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(rows, null, 2)], { type: "application/json" }));
  link.download = "verdicts.json";
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Asks the service who it is; gives whether it let this page in. */
async function meet() {
  try {
    service = await ask("v1/detectors", { waiting: (_, why) => trouble(why) });
  } catch (error) {
    if (error.status === 401) {
      askForKey(aboutKey(error));
    } else {
      trouble(error.message);
    }
    return false;
  }
  lacksKey = false;
  trouble("");
  const choices = service.detectors.map(({ name, title }) => new Option(title === name ? name : `${title} (${name})`, name));
  if (choices.length > 1) {
    choices.unshift(new Option("Automatic: the one that fits each picture", service.default));
  }
  $("detector").replaceChildren(...choices);
  const { formats, file_bytes: most } = service.limits;
  const names = new Intl.ListFormat("en", { type: "disjunction" }).format(formats);
  $("limits").textContent = `${names}, up to ${megabytes(most)} each. They are judged on this server, and not kept there.`;
  tellSettings();
  return true;
}

/** What a person is told of a 401; the service tells programs how to send a key. */
function aboutKey(error) {
  return key.get() ? error.message : "This service needs a key.";
}

function trouble(words) {
  if ($("trouble").textContent !== words) { // An alert is read out whenever it is written.
    $("trouble").textContent = words;
    $("trouble").hidden = !words;
  }
}

function tellSettings() {
  const wrong = wrongShare();
  const { ignore_ood: ignoring, max_fpr: alarms, max_fnr: missed } = settings();
  const chosen = $("detector").selectedOptions[0]?.textContent.split(":")[0];
  const told = [chosen, alarms && `at most ${100 * alarms}% false alarms`, missed && `at most ${100 * missed}% missed`,
    ignoring && "out-of-distribution pictures too"];
  $("settings-told").textContent = wrong
    ? `${SHARES[wrong]}: expected ${$(wrong).min} to ${$(wrong).max}%. Until then no pictures are added.`
    : told.filter(Boolean).join(", ");
  $("settings-told").classList.toggle("wrong", Boolean(wrong));
  const detector = service?.detectors.find((one) => one.name === $("detector").value);
  $("detector-limits").textContent = detector?.limits[0] ?? "";
}

function askForKey(why = "") {
  lacksKey ||= Boolean(why);
  trouble(""); // What lies behind the dialogue cannot be pressed.
  $("key-button").hidden = false;
  $("key-why").textContent = why;
  $("key-why").hidden = !why;
  $("key").value = "";
  $("key-forget").hidden = !key.get();
  if (!$("key-dialog").open) {
    $("key-dialog").showModal();
  }
}

async function useKey(value) {
  lacksKey = false;
  $("key-dialog").close();
  $("key").value = ""; // Nothing but the session keeps it.
  if (value) {
    key.set(value);
  } else {
    key.forget();
    say("The key was forgotten.");
  }
  if (await meet() && value) {
    say("The key is used from now on.");
    pictures.filter((one) => one.state === "locked").forEach((one) => one.restart());
  }
}

function listen() {
  for (const id of ["files", "photograph"]) {
    $(id).addEventListener("change", () => {
      add($(id).files);
      $(id).value = ""; // So that the same file can be chosen again.
    });
  }
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      $("drop").classList.toggle("over", name === "dragenter" || name === "dragover");
    });
  }
  document.addEventListener("drop", ({ dataTransfer: { items, files } }) => {
    const folders = [...items].filter((item) => item.webkitGetAsEntry?.()?.isDirectory).length;
    trouble(folders ? "Folders cannot be dropped here. Choose the pictures in them." : "");
    add([...files].filter((file, at) => !items[at]?.webkitGetAsEntry?.()?.isDirectory));
  });
  document.addEventListener("paste", ({ clipboardData }) => add(clipboardData.files));
  $("paste").hidden = !navigator.clipboard?.read;
  $("paste").addEventListener("click", paste);
  $("stop").addEventListener("click", () => pictures.forEach((one) => one.stop()));
  $("save").addEventListener("click", save);
  $("clear").addEventListener("click", () => [...pictures].forEach((one) => one.remove()));
  $("settings").addEventListener("input", tellSettings);
  $("key-button").addEventListener("click", () => askForKey());
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    useKey($("key").value.trim() || key.get());
  });
  $("key-forget").addEventListener("click", () => useKey(""));
  $("key-cancel").addEventListener("click", () => $("key-dialog").close());
  $("key-dialog").addEventListener("close", () => lacksKey && trouble("This service needs a key: press Key, above."));
}

async function paste() {
  try {
    const items = await navigator.clipboard.read();
    const found = items.flatMap((item) => item.types.filter((type) => type.startsWith("image/")).map(
      async (type) => new File([await item.getType(type)], `pasted.${type.slice(6)}`, { type })));
    trouble(found.length ? "" : "There is no picture on the clipboard. Copy one, then paste again.");
    add(await Promise.all(found));
  } catch (error) {
    trouble(`The browser does not let this page read the clipboard (${error.message}). Ctrl+V works all the same.`);
  }
}

$("key-button").hidden = !key.get();
listen();
meet();
