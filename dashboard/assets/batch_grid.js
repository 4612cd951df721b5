// Rows of a batch as thumbnails or as a list; arrow keys move, Enter opens, the page turns at its ends.
const grids = new WeakMap();

export default function (component) {
  const { parentElement: root, data, setTriggerValue } = component;
  let grid = grids.get(root);
  if (!grid) grids.set(root, (grid = made(root)));
  Object.assign(grid, { data, tell: setTriggerValue });
  draw(grid, root);
}

function made(root) {
  const place = document.createElement("div"), keys = document.createElement("div");
  place.setAttribute("role", "group");
  keys.className = "keys";
  root.append(place, keys);
  const grid = { place, keys, drawn: "", at: 0 };
  place.addEventListener("keydown", (event) => pressed(grid, event));
  return grid;
}

function draw(grid, root) {
  const { place, data } = grid, drawn = JSON.stringify([data.items, data.layout, data.opens]);
  grid.keys.textContent = data.keys;
  place.className = `grid ${data.layout}`;
  place.setAttribute("aria-label", data.label);
  const focused = place.contains(root.getRootNode().activeElement) || data.focus;
  if (drawn !== grid.drawn) {
    grid.drawn = drawn;
    place.replaceChildren(...data.items.map((item, number) => card(grid, item, number)));
    grid.at = Math.min(data.at, data.items.length - 1);
    mark(grid);
    if (focused && grid.seen !== data.turn) seen(grid);
  } else if (grid.seen !== data.turn) {
    grid.at = Math.min(data.at, data.items.length - 1);
    mark(grid);
    if (focused) seen(grid);
  }
  grid.seen = data.turn;
}

function seen(grid) {
  const one = grid.place.children[grid.at];
  one?.focus({ preventScroll: true });
  one?.scrollIntoView({ block: "nearest" });
}

// One of them alone is reached by Tab, the others by arrow keys.
function mark(grid) {
  [...grid.place.children].forEach((one, number) => { one.tabIndex = number === grid.at ? 0 : -1; });
}

function columns(grid) {
  if (grid.data.layout === "list") return 1;
  const first = grid.place.children[0]?.offsetTop;
  const cards = [...grid.place.children], below = cards.findIndex((one) => one.offsetTop !== first);
  return below < 0 ? cards.length : below;
}

function pressed(grid, event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const last = grid.data.items.length - 1, row = columns(grid), list = grid.data.layout === "list";
  const to = {
    ArrowLeft: list ? undefined : grid.at - 1, ArrowRight: list ? undefined : grid.at + 1,
    ArrowUp: grid.at - row, ArrowDown: grid.at + row, Home: 0, End: last,
  }[event.key];
  const turn = { PageUp: -1, PageDown: 1 }[event.key] ?? (to === undefined ? 0 : to < 0 ? -1 : to > last ? 1 : 0);
  if (to === undefined && !turn) return;
  event.preventDefault();
  if (event.repeat && turn) return;
  if (turn) {
    const there = grid.data.page + turn;
    if (there >= 0 && there < grid.data.pages) grid.tell("turn", { page: there, last: turn < 0 && event.key !== "PageUp" });
    else if (to !== undefined && event.key === "ArrowDown") go(grid, last);
    return;
  }
  go(grid, to);
}

function go(grid, number) {
  grid.at = number;
  mark(grid);
  const one = grid.place.children[number];
  one.focus({ preventScroll: true });
  one.scrollIntoView({ block: "nearest" });
}

function card(grid, item, number) {
  const result = document.createElement("button");
  result.type = "button";
  result.title = item.title;
  result.setAttribute("aria-label", item.said);
  if (!grid.data.opens) result.setAttribute("aria-disabled", "true");
  result.onfocus = () => { grid.at = number; mark(grid); };
  result.onclick = () => { if (grid.data.opens) grid.tell("open", item.number); };
  const thumb = document.createElement(item.src ? "img" : "span");
  thumb.className = "thumb";
  if (item.src) Object.assign(thumb, { src: item.src, alt: "" });
  const line = (name, text, colour) => {
    const one = Object.assign(document.createElement("span"), { className: name, textContent: text });
    if (colour) one.style.color = colour;
    return one;
  };
  const named = line("name", item.name), marked = line("mark", item.mark, item.colour);
  const order = grid.data.layout === "list" ? [named, marked] : [marked, named];
  result.append(thumb, ...order, line("score", item.score), line("note", item.note));
  return result;
}
