// Thumbnails with what was said of each; a click or an arrow key chooses.
const strips = new WeakMap();

export default function (component) {
  const { parentElement: root, data, setStateValue } = component;
  let strip = strips.get(root);
  if (!strip) {
    strip = document.createElement("div");
    strip.className = data.small ? "strip small" : "strip";
    strip.setAttribute("role", "group");
    strip.setAttribute("aria-label", `${data.label ?? "Pictures"}; arrow keys choose`);
    root.appendChild(strip);
    strips.set(root, strip);
  }
  // What was chosen last: keys may come faster than it is shown.
  let at = data.chosen;
  const choose = (number) => {
    const count = data.items.length, next = (number + count) % count;
    at = next;
    // The time tells a choice from an earlier one of the same picture, after which another way led elsewhere.
    setStateValue("chosen", { id: data.items[next].id, number: next, at: Date.now() });
    strip.children[next]?.focus({ preventScroll: true });
  };
  const focused = strip.contains(root.getRootNode().activeElement);
  strip.replaceChildren(...data.items.map((item, number) => button(item, number === data.chosen, () => choose(number))));
  show(strip, strip.children[data.chosen]);
  if (focused) strip.children[data.chosen]?.focus({ preventScroll: true });
  const keys = (event) => {
    const last = data.items.length - 1;
    const next = {
      ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last,
    }[event.key];
    const target = event.composedPath()[0];
    const elsewhere = (target !== document.body || data.small) && !strip.contains(target);
    if (next === undefined || elsewhere || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    choose(next);
  };
  document.addEventListener("keydown", keys);
  return () => document.removeEventListener("keydown", keys);
}

// Scrolls the strip alone: the page, which may have been scrolled down to what is below, stays where it is.
function show(strip, chosen) {
  if (!chosen) return;
  const frame = strip.getBoundingClientRect(), box = chosen.getBoundingClientRect();
  if (box.top < frame.top) strip.scrollTop -= frame.top - box.top;
  else if (box.bottom > frame.bottom) strip.scrollTop += box.bottom - frame.bottom;
  if (box.left < frame.left) strip.scrollLeft -= frame.left - box.left;
  else if (box.right > frame.right) strip.scrollLeft += box.right - frame.right;
}

function button(item, chosen, choose) {
  const result = document.createElement("button");
  result.type = "button";
  result.title = item.title;
  result.setAttribute("aria-pressed", String(chosen));
  result.onclick = choose;
  const thumb = document.createElement(item.src ? "img" : "span");
  thumb.className = "thumb";
  if (item.src) Object.assign(thumb, { src: item.src, alt: "" });
  const mark = document.createElement("span");
  mark.className = "mark";
  mark.textContent = item.mark;
  mark.style.color = item.colour;
  const words = document.createElement("span");
  words.className = "words";
  const line = (className, textContent) => Object.assign(document.createElement("span"), { className, textContent });
  words.append(mark, line("name", item.name), ...item.notes.map((text) => line("note", text)));
  result.append(thumb, words);
  return result;
}
