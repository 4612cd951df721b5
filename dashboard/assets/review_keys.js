// Keys and buttons that decide on the picture in sight. Presses are numbered, and sent again until the page has handled
// them.
const DECISIONS = [["real", "R", "Real", "●"], ["fake", "F", "Fake", "▲"], ["undecided", "U", "Undecided", "?"]];
const MOVES = [["previous", "P", "Previous"], ["next", "N", "Next"]];
const FIELDS = "input, textarea, select, [contenteditable=''], [contenteditable=true], [role=textbox], [role=combobox]";
const bars = new WeakMap();
const isDecision = (action) => DECISIONS.some(([name]) => name === action);

export default function (component) {
  const { parentElement: root, data, setStateValue } = component;
  let bar = bars.get(root);
  if (!bar) bars.set(root, (bar = create(root)));
  bar.send = (presses) => setStateValue("pressed", presses);
  bar.show(data);
  // Before Streamlit's own keys, one of which is R.
  window.addEventListener("keydown", bar.onKey, true);
  return () => window.removeEventListener("keydown", bar.onKey, true);
}

function create(root) {
  const line = document.createElement("div");
  line.className = "review";
  line.setAttribute("role", "group");
  line.setAttribute("aria-label", "Your decision");
  const said = Object.assign(document.createElement("span"), { className: "said" });
  said.setAttribute("aria-live", "polite");
  root.append(line, said);
  const bar = { data: {}, waiting: [], last: 0, send: () => {} };
  const moving = () => bar.waiting.some((press) => !isDecision(press.action));

  const press = (action) => {
    if (isDecision(action) ? !bar.data.may || moving() : bar.data.total < 2) return;
    bar.last += 1;
    bar.waiting = [...bar.waiting, { number: bar.last, action, picture: bar.data.picture }];
  };
  const pressAll = (action) => {
    const before = bar.last;
    press(action);
    if (bar.last > before && recall("onward", "off") === "on" && isDecision(action)) press("next");
    if (bar.last > before) bar.send(bar.waiting);
    draw();
  };
  const decided = () => {
    const mine = bar.waiting.filter((one) => one.picture === bar.data.picture && isDecision(one.action));
    return mine.length ? mine[mine.length - 1].action : bar.data.decided;
  };

  function draw() {
    const active = root.getRootNode().activeElement?.dataset?.name;
    const { data } = bar, parts = [];
    line.classList.toggle("off", recall("keys") === "off");
    if (data.may) {
      parts.push(text("Your decision on"), Object.assign(text(data.name), { className: "of", title: data.name }));
      for (const [name, key, title, sign] of DECISIONS) {
        const one = button(name, `${sign} ${title}`, key, () => pressAll(name));
        one.setAttribute("aria-pressed", String(decided() === name));
        one.disabled = moving();
        one.classList.add(name);
        parts.push(one);
      }
    }
    if (data.total > 1) {
      for (const [name, key, title] of MOVES) parts.push(button(name, title, key, () => pressAll(name)));
      const count = `${data.number + 1} of ${data.total}` + (data.may ? `, ${data.done} decided` : "");
      parts.push(Object.assign(text(count), { className: "count" }));
      if (data.may) parts.push(toggle("onward", "off", "Go on after a decision", draw));
    }
    parts.push(toggle("keys", "on", "Keys", draw));
    line.replaceChildren(...parts);
    if (active) line.querySelector(`[data-name=${active}]`)?.focus({ preventScroll: true });
  }

  bar.show = (data) => {
    const before = bar.data;
    bar.data = data;
    bar.last = Math.max(bar.last, data.handled);
    bar.waiting = bar.waiting.filter((one) => one.number > data.handled);
    draw();
    if (before.picture !== undefined && (before.picture !== data.picture || before.decided !== data.decided)) {
      const title = DECISIONS.find(([name]) => name === data.decided)?.[2].toLowerCase() ?? "none";
      said.textContent = `Picture ${data.number + 1} of ${data.total}, ${data.name}. Your decision: ${title}.`;
    }
  };

  bar.onKey = (event) => {
    if (recall("keys") === "off" || event.altKey || event.ctrlKey || event.metaKey || event.isComposing) return;
    const target = event.composedPath()[0];
    if (target instanceof Element && target.closest(FIELDS)) return;
    if (document.querySelector("[role=dialog]")) return;
    const pressed = event.key.length === 1 ? event.key.toUpperCase() : "";
    const found = [...(bar.data.may ? DECISIONS : []), ...(bar.data.total > 1 ? MOVES : [])].find(([, key]) => key === pressed);
    if (!found) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!event.repeat) pressAll(found[0]);
  };
  return bar;
}

function text(content) {
  return Object.assign(document.createElement("span"), { textContent: content });
}

function button(name, title, key, act) {
  const result = Object.assign(document.createElement("button"), { type: "button", onclick: act });
  result.dataset.name = name;
  result.append(text(title));
  if (key) {
    result.append(Object.assign(document.createElement("kbd"), { textContent: key }));
    result.setAttribute("aria-keyshortcuts", key);
  }
  return result;
}

// What a person prefers stays in this browser.
function toggle(name, first, title, changed) {
  const result = button(name, "", "", () => {
    keep(name, recall(name, first) === "on" ? "off" : "on");
    changed();
  });
  const on = recall(name, first) === "on";
  result.classList.add("quiet");
  result.textContent = `${title}: ${on ? "on" : "off"}`;
  result.setAttribute("aria-pressed", String(on));
  return result;
}

function recall(name, first) {
  try {
    return localStorage.getItem(`dfcore-review-${name}`) ?? first;
  } catch {
    return first;
  }
}

function keep(name, value) {
  try {
    localStorage.setItem(`dfcore-review-${name}`, value);
  } catch {
    // Without storage it holds as it was.
  }
}
