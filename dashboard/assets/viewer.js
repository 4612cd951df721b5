// The judged picture with its heat-map as a layer. What only changes the view stays in the browser: opacity, swipe, the
// magnifier's zoom. Only the point under the magnifier is sent, to get the original's own pixels around it.
const ZOOMS = [1, 2, 4, 8];
const STILL_MS = 120;
const views = new WeakMap();

export default function (component) {
  const { parentElement: root, data, setStateValue } = component;
  let view = views.get(root);
  if (!view) views.set(root, (view = create(root)));
  view.send = (look) => setStateValue("look", look);
  view.pick = (number) => setStateValue("face", { image: view.data.image, number, at: Date.now() });
  view.show(data);
}

function create(root) {
  const find = (name) => root.querySelector(name);
  const frame = find(".frame"), picture = find(".picture"), map = find(".map"), marks = find(".marks");
  const edge = find(".edge"), spot = find(".spot"), loupe = find(".loupe"), wait = find(".wait");
  const opacity = find(".opacity"), swipe = find(".swipe"), hold = find(".hold"), look = find("button.look");
  const view = { data: {}, at: 0.5, zoom: 2, point: null, timer: 0, held: false, send: () => {}, pick: () => {} };
  opacity.value = read("opacity", 45);

  const pressed = (button) => button.getAttribute("aria-pressed") === "true";
  const press = (button, on) => button.setAttribute("aria-pressed", String(on));

  function draw() {
    const there = Boolean(view.data.map);
    map.hidden = !there || view.held;
    marks.hidden = view.held;
    map.style.opacity = opacity.value / 100;
    const swiping = there && pressed(swipe);
    edge.hidden = !swiping;
    edge.style.left = `${100 * view.at}%`;
    map.style.clipPath = swiping ? `inset(0 0 0 ${100 * view.at}%)` : "none";
    for (const control of [opacity, swipe]) control.disabled = !there;
    find(".scale").hidden = !there;
    const looking = pressed(look);
    frame.classList.toggle("look", looking);
    const crop = view.data.crop;
    loupe.hidden = spot.hidden = !looking || !crop;
    if (!looking || !crop) return;
    const side = Math.min(crop.side, loupe.clientWidth / view.zoom);
    const box = loupe.querySelector("img");
    if (box.src !== crop.src) box.src = crop.src;
    const shift = (name, size) => {
      const start = crop[name] - crop[name + "0"] - side / 2;
      return Math.max(0, Math.min(start, crop[size] - side));
    };
    const x = shift("x", "width"), y = shift("y", "height");
    Object.assign(box.style, {
      width: `${crop.width * view.zoom}px`, height: `${crop.height * view.zoom}px`, inset: "auto",
      left: `${-x * view.zoom}px`, top: `${-y * view.zoom}px`, maxWidth: "none",
    });
    loupe.querySelector("span").textContent = `pixels of the original, ${view.zoom}x`;
    loupe.classList.toggle("left", crop.x > view.data.width / 2);
    const part = (value, whole) => `${(100 * value) / whole}%`;
    Object.assign(spot.style, {
      left: part(crop.x0 + x, view.data.width), top: part(crop.y0 + y, view.data.height),
      width: part(Math.min(side, crop.width), view.data.width),
      height: part(Math.min(side, crop.height), view.data.height),
    });
  }

  function place(event) {
    const box = frame.getBoundingClientRect();
    const inside = (value) => Math.max(0, Math.min(value, 1));
    return [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)];
  }

  function ask(x, y) {
    view.point = [x, y];
    clearTimeout(view.timer);
    view.timer = setTimeout(() => {
      view.send({ image: view.data.image, x: Math.round(x * view.data.width), y: Math.round(y * view.data.height) });
    }, STILL_MS);
  }

  frame.onpointermove = (event) => {
    const [x, y] = place(event);
    if (pressed(look)) ask(x, y);
    else if (pressed(swipe) && (event.buttons || event.pointerType === "mouse")) { view.at = x; draw(); }
  };
  frame.onpointerdown = (event) => { if (pressed(look)) ask(...place(event)); };
  frame.onkeydown = (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const step = steps[event.key];
    if (step && pressed(look)) {
      const [x, y] = view.point ?? [0.5, 0.5];
      ask(Math.max(0, Math.min(1, x + step[0] / 40)), Math.max(0, Math.min(1, y + step[1] / 40)));
    } else if (step && step[0] && pressed(swipe)) {
      view.at = Math.max(0, Math.min(1, view.at + step[0] / 40));
    } else if ((event.key === "+" || event.key === "-") && pressed(look)) {
      zoom(event.key === "+" ? 1 : -1);
    } else return;
    event.preventDefault();
    event.stopPropagation();
    draw();
  };
  frame.addEventListener("wheel", (event) => {
    if (!pressed(look)) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1 : -1);
    draw();
  }, { passive: false });

  function zoom(step) {
    const next = ZOOMS.indexOf(view.zoom) + step;
    view.zoom = ZOOMS[Math.max(0, Math.min(next, ZOOMS.length - 1))];
  }

  opacity.oninput = () => { keep("opacity", opacity.value); draw(); };
  swipe.onclick = () => { press(swipe, !pressed(swipe)); press(look, false); draw(); };
  look.onclick = () => {
    press(look, !pressed(look));
    press(swipe, false);
    if (pressed(look) && !view.data.crop) ask(0.5, 0.5);
    draw();
  };
  const held = (on) => () => { view.held = on; draw(); };
  hold.onpointerdown = held(true);
  hold.onpointerup = hold.onpointerleave = hold.onblur = held(false);
  hold.onkeydown = (event) => { if (event.key === " " || event.key === "Enter") held(true)(); };
  hold.onkeyup = held(false);

  view.show = (data) => {
    if (data.image !== view.data.image) Object.assign(view, { point: null, at: 0.5 });
    view.data = data;
    load(picture, data.picture);
    picture.alt = data.alt;
    frame.setAttribute("aria-label", data.alt);
    picture.classList.toggle("sharp", Math.max(data.width, data.height) < 200);
    if (data.map) load(map, data.map);
    frame.style.aspectRatio = `${data.width} / ${data.height}`;
    frame.style.width = `min(100%, calc(${data.height_css} * ${data.width / data.height}))`;
    wait.hidden = !data.waiting;
    wait.textContent = data.waiting || "";
    find(".notes").textContent = data.notes;
    find(".bar").style.background = data.colours;
    find(".high").textContent = data.evidence;
    find(".bar").setAttribute("aria-label", `Colours of the map, from low to ${data.evidence}`);
    const choose = (number) => { if (!pressed(look)) view.pick(number); };
    marks.replaceChildren(
      ...data.parts.flatMap((part) => boxes(part)), ...veils(data),
      ...data.faces.map((face, number) => framed(face, () => choose(number))),
    );
    draw();
  };
  return view;
}

// Shows a picture by its address; while the page runs again, the server may not have it for a moment.
function load(image, address) {
  if (image.dataset.address === address) return;
  let tries = 3;
  image.dataset.address = address;
  image.onerror = () => setTimeout(() => {
    if (image.dataset.address === address && tries-- > 0) image.src = address;
  }, 500);
  image.src = address;
}

// A frame around each judged part; none where it is the whole picture.
function boxes(part) {
  if (part.whole) return [];
  const box = rectangle(part.explained ? "part explained" : "part", part.box);
  if (part.title) box.appendChild(Object.assign(document.createElement("span"), { textContent: part.title }));
  return [box];
}

// A frame around a face, which chooses it.
function framed(face, choose) {
  const box = rectangle("face", face.box, "button");
  Object.assign(box, { type: "button", title: face.title, onclick: choose });
  box.style.borderColor = face.colour;
  box.setAttribute("aria-label", face.title);
  box.appendChild(Object.assign(document.createElement("span"), { textContent: face.label }));
  return box;
}

// What no part covers is darkened: it was not judged.
function veils(data) {
  if (data.parts.some((part) => part.whole) || !data.parts.length) return [];
  const [left, top, right, bottom] = data.parts.map((part) => part.box).reduce(
    (a, b) => [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])],
  );
  return [[0, 0, 1, top], [0, bottom, 1, 1], [0, top, left, bottom], [right, top, 1, bottom]]
    .filter(([l, t, r, b]) => r - l > 0.001 && b - t > 0.001)
    .map((box) => rectangle("veil", box));
}

function rectangle(name, [left, top, right, bottom], tag = "div") {
  const box = document.createElement(tag);
  box.className = name;
  Object.assign(box.style, {
    left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%`,
  });
  return box;
}

function read(name, otherwise) {
  try { return Number(sessionStorage.getItem(`dfcore-${name}`) ?? otherwise); } catch { return otherwise; }
}

function keep(name, value) {
  try { sessionStorage.setItem(`dfcore-${name}`, value); } catch { /* Without storage it is not kept. */ }
}
