// The card of a picture: what is happening to it, what is said of it, and where the evidence lies.

import { draw } from "./heatmap.js";

// What a detector says of a picture; the service sends the words of its verdict, these name the ends of the scale.
const ENDS = { real: "likely real", no_sign: "no sign of a fake found", fake: "likely fake" };
const ICONS = {
  fake: "M12 3.5 2.5 20h19zM12 10v5M12 17.3v.4",
  real: "M12 3a9 9 0 1 0 .01 0zM8 12.3l2.8 2.8L16 9.6",
  inconclusive: "M12 3a9 9 0 1 0 .01 0zM9.3 9.6a2.7 2.7 0 1 1 3.9 2.4c-.8.4-1.2 1-1.2 1.8M12 16.6v.4",
  no_sign: "M10.5 4a6.5 6.5 0 1 0 .01 0zM15.3 15.3 20.5 20.5M8 10.5h5",
  none: "M4 5h16v14H4zM8 9l8 7M16 9l-8 7",
  going: "M7 4h10M7 20h10M8 4c0 5 8 7 8 16M16 4c0 5-8 7-8 16",
};
const THUMB = 160;
// About how many pixels of the screen the longer side of a small picture gets.
const ENLARGED = 256;
// Thumbnails are made one after the other: each decodes a whole picture.
let thumbnails = Promise.resolve();

export class Card {
  /**
   * @param {File} file
   * @param {object} does What a person asks for: `again`, `halt`, `remove`, `explain(evidence, view)`, `opened`.
   */
  constructor(file, does) {
    this.file = file;
    this.element = document.getElementById("card").content.firstElementChild.cloneNode(true);
    this.find = (name) => this.element.querySelector(name);
    this.details = this.find(".card");
    this.url = null;
    this.canShow = true;
    this.isExplained = false; // Or about to be.
    this.isDrawn = false; // Whether the picture that is shown has its map in it.
    this.isForgotten = false;
    this.find(".name").textContent = file.name;
    this.find(".picture").alt = `The picture ${file.name}`;
    for (const name of ["again", "halt", "remove"]) {
      const button = this.find(`.${name}`);
      button.setAttribute("aria-label", `${button.textContent}: ${file.name}`);
      button.addEventListener("click", () => does[name]());
    }
    this.details.addEventListener("toggle", () => this.details.open && does.opened());
    for (const name of [".evidence", ".view"]) {
      this.find(name).addEventListener("change", () => does.explain(...this.chosen));
    }
    this.find(".shown").addEventListener("change", () => this.#showMap());
    this.find(".opacity").addEventListener("input", () => this.#showMap());
    this.find(".picture").addEventListener("load", () => this.#enlarge());
    this.doing("Waiting");
    this.ready = thumbnails = thumbnails.then(() => this.#thumbnail());
  }

  get isOpen() {
    return this.details.open;
  }

  open() {
    this.details.open = true;
  }

  /** The class whose evidence is to be shown, and the part of the picture. */
  get chosen() {
    return [this.find(".evidence").value, this.find(".view").value];
  }

  forget() {
    this.isForgotten = true;
    URL.revokeObjectURL(this.url);
    URL.revokeObjectURL(this.find(".picture").src);
    this.element.remove();
  }

  /** Makes the thumbnail, at its size: a list of large pictures must not fill a phone's memory. */
  async #thumbnail() {
    if (this.isForgotten) {
      return;
    }
    try {
      const bitmap = await createImageBitmap(this.file, { resizeHeight: THUMB, resizeQuality: "medium" });
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      bitmap.close();
      const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.8));
      this.url = URL.createObjectURL(blob);
      this.find("img.thumb").src = this.url;
      this.find("img.thumb").hidden = false;
      this.find(".thumb.none").hidden = true;
    } catch { // A format that this browser does not know; the service may.
      this.canShow = false;
    }
  }

  /**
   * @param {string} words What is happening.
   * @param {number | null} share How far it is, 0 to 1; null if nobody knows.
   */
  doing(words, share = null) {
    const bar = this.find("progress");
    bar.setAttribute("aria-label", `Progress: ${this.file.name}`);
    if (share === null) {
      bar.removeAttribute("value");
    } else {
      bar.value = share;
    }
    this.#head("going", words);
    this.find(".doing").textContent = words;
    this.#state({ going: true });
  }

  /** Shows that nothing was judged, and why. */
  failed(words, why) {
    this.#head("none", words);
    this.find(".error").textContent = why;
    this.#state({ error: true });
  }

  /**
   * Shows a verdict.
   *
   * @param {object} row As the service answers it.
   * @param {string} limit What the detector's card says of its limits.
   */
  judged(row, limit) {
    this.#head(row.finding ?? "none", capital(row.words) + row.aside);
    this.find(".seen").textContent = row.trained_on_words ?? "";
    this.find(".seen").hidden = !row.trained_on_words;
    for (const name of ["conclusion", "sure", "why", "next"]) {
      this.find(`.${name}`).textContent = row.answers[name];
    }
    const file = row.provenance?.summary ?? "";
    this.find(".file-says").hidden = !file;
    this.find(".file-says dd").textContent = file;
    this.find(".limit").textContent = row.error ? "" : limit;
    this.#scale(row);
    this.#figures(row);
    this.#state({ said: true, again: Boolean(row.accident) });
    this.find(".more").hidden = row.score === null;
  }

  /** Offers the parts of a picture that the detector judges. */
  views(titles) {
    const select = this.find(".view");
    select.replaceChildren(...titles.map((title, at) => new Option(title, String(at))));
    this.find(".part").hidden = titles.length < 2;
  }

  /** Shows the picture, and that its heat-map is on its way; an earlier one was of something else. */
  explaining(words = "The heat-map is being made.") {
    this.#picture(words);
    this.find(".halt").hidden = false;
    this.#frame(true);
  }

  /** Shows the picture alone, and why it has no heat-map. */
  unexplained() {
    const hidden = this.canShow ? "" : " This browser cannot show the picture itself.";
    this.#picture(`The score is not used on this picture, so there is no heat-map of what it hangs on.${hidden}`);
    this.find(".halt").hidden = true;
    this.find(".tools").hidden = this.find(".legend").hidden = true;
    this.#frame(false);
  }

  #picture(words) {
    this.isExplained = true;
    this.find("figure").hidden = false;
    this.find(".again").hidden = true;
    this.#clearMap();
    this.find(".map-text").textContent = words;
    const picture = this.find(".picture");
    if (this.canShow && !picture.src) {
      picture.src = URL.createObjectURL(this.file);
    }
  }

  /**
   * Shows a heat-map.
   *
   * @param {object} heatmap As the service answers it.
   * @param {Blob | null} drawn The picture under its map, where this browser cannot show the picture.
   */
  explained(heatmap, drawn) {
    const picture = this.find(".picture");
    this.heatmap = drawn ? null : heatmap;
    if (drawn) {
      this.isDrawn = true;
      URL.revokeObjectURL(picture.src);
      picture.src = URL.createObjectURL(drawn);
    }
    for (const name of [".shown", ".opacity"]) {
      this.find(name).closest("label").hidden = Boolean(drawn);
    }
    const part = this.find(".part").hidden ? "" : ` Explained part: ${heatmap.view}.`;
    this.find(".map-text").textContent = `${heatmap.text}${part}`;
    picture.alt = `The picture ${this.file.name}. Heat-map: ${heatmap.text}`;
    this.find(".halt").hidden = true;
    this.#frame(false);
    if (this.heatmap) {
      draw(this.find(".map"), this.find(".unseen-part"), heatmap);
    }
    this.#showMap();
  }

  /** Shows that there is no heat-map, and why; it can be asked for again. */
  notExplained(why) {
    this.#clearMap();
    this.find(".map-text").textContent = `There is no heat-map: ${why}`;
    this.find(".halt").hidden = true;
    this.find(".again").hidden = false;
    this.#frame(false);
  }

  /** Takes away the map, also one that the service has drawn into the picture, and what is said of it. */
  #clearMap() {
    const picture = this.find(".picture");
    this.heatmap = null;
    picture.alt = `The picture ${this.file.name}`;
    if (this.isDrawn) {
      this.isDrawn = false;
      URL.revokeObjectURL(picture.src);
      picture.removeAttribute("src");
    }
    this.#showMap();
  }

  /** Gives the picture its room before it is there, so that nothing jumps. */
  #frame(isComing) {
    this.find(".stage").classList.toggle("coming", isComing);
  }

  /** Shows a small picture larger, each of its pixels as a square, or nobody sees anything in it. */
  #enlarge() {
    const picture = this.find(".picture");
    const { naturalWidth: width, naturalHeight: height } = picture;
    const factor = Math.round(ENLARGED / Math.max(width, height));
    picture.classList.toggle("enlarged", factor > 1);
    // Both sides are bounded by the width alone, or the picture would be stretched.
    picture.style.width = factor > 1 ? `min(${factor * width}px, ${(70 * width) / height}vh)` : "";
  }

  #showMap() {
    const map = this.find(".map");
    const isShown = Boolean(this.heatmap) && this.find(".shown").checked;
    this.find(".unseen-part").hidden = !isShown;
    map.hidden = !(isShown && this.heatmap.peak > 0);
    map.style.opacity = Number(this.find(".opacity").value) / 100;
    this.find(".opacity").disabled = !this.find(".shown").checked;
  }

  #head(kind, words) {
    this.element.dataset.finding = kind;
    this.find(".icon path").setAttribute("d", ICONS[kind] ?? ICONS.none);
    this.find(".words").textContent = words;
  }

  #state({ going = false, error = false, said = false, again = error }) {
    this.find(".going").hidden = !going;
    this.find(".error").hidden = !error;
    this.find(".said").hidden = this.find(".conclusion").hidden = !said;
    this.find("figure").hidden ||= !said;
    this.find(".halt").hidden = !going;
    this.find(".again").hidden = !again;
  }

  /** The score between its thresholds; without a knob where it was not used. */
  #scale(row) {
    const scale = this.find(".scale");
    scale.hidden = row.score === null;
    if (row.score === null) {
      return;
    }
    // A side that no score reaches lies beyond 0 or 1.
    const [low, high] = [row.thresholds.real_below, row.thresholds.fake_from].map((at) => Math.min(1, Math.max(0, at)));
    const side = row.thresholds.says_real ? "real" : "no_sign";
    const zones = [[side, 0, low], ["inconclusive", low, high], ["fake", high, 1]].filter(([, from, to]) => to > from);
    scale.firstElementChild.replaceChildren(...zones.map(([name, from, to]) => {
      const zone = document.createElement("span");
      zone.dataset.finding = name;
      Object.assign(zone.style, { left: `${100 * from}%`, width: `${100 * (to - from)}%` });
      return zone;
    }));
    scale.classList.toggle("unused", !row.is_used);
    const score = row.score.toFixed(3);
    if (row.is_used) {
      const knob = document.createElement("i");
      knob.style.left = `${100 * row.score}%`;
      scale.firstElementChild.append(knob);
    }
    const middle = row.is_used ? `score ${score}` : "score not used";
    const ends = [low > 0 ? ENDS[side] : "0", middle, high < 1 ? ENDS.fake : "1"];
    scale.lastElementChild.replaceChildren(...ends.map((text) => {
      const end = document.createElement("span");
      end.textContent = text;
      return end;
    }));
    const limits = [
      low > 0 && `${ENDS[side]} below ${low.toFixed(3)}`,
      row.thresholds.fake_from <= 1 && `${ENDS.fake} from ${high.toFixed(3)}`,
    ].filter(Boolean).join(", "); // What the detector never says is left out.
    scale.setAttribute("aria-label", [row.is_used ? `Score ${score}` : "The score is not used", limits].filter(Boolean).join("; "));
  }

  #figures(row) {
    const { file } = row;
    const figures = {
      Detector: row.title,
      Score: row.score === null ? null
        : row.is_used ? `${row.score.toFixed(4)} on a scale from 0 to 1 (higher: more like fakes)` : "not used",
      File: file && `${file.format}, ${file.width} × ${file.height} pixels, ${megabytes(file.bytes)}`,
      "SHA-256 of the file": row.sha256,
      "SHA-256 of the detector": row.model_sha256,
    };
    const shown = Object.entries(figures).filter(([, value]) => value);
    this.find(".figures").replaceChildren(...shown.map(([name, value]) => {
      const row = document.createElement("div");
      const [term, told] = [document.createElement("dt"), document.createElement("dd")];
      [term.textContent, told.textContent] = [name, value];
      row.append(term, told);
      return row;
    }));
  }
}

export function megabytes(bytes) {
  return bytes < 2 ** 20 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${Number((bytes / 2 ** 20).toFixed(1))} MB`;
}

function capital(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
