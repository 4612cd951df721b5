// Sends frames of a camera or a screen: the next one once the server has judged the one before.
const lives = new WeakMap();
const LONGEST = 1920, PATIENCE = 60000;

export default function (component) {
  const { parentElement: root, data, setTriggerValue } = component;
  let live = lives.get(root);
  if (!live) lives.set(root, (live = made(root)));
  Object.assign(live, { data, tell: setTriggerValue });
  if (live.stream && data.id === live.id) {
    if (data.refused) end(live, data.refused);
    else if (data.number > live.judged) judged(live);
  }
  draw(live);
  return () => setTimeout(() => { if (!root.isConnected) end(live, ""); }, 1000);
}

function made(root) {
  const find = (name) => root.querySelector(name);
  const live = {
    camera: find(".camera"), screen: find(".screen"), stop: find(".stop"), which: find(".which"),
    select: find("select"), stage: find(".stage"), canvas: find("canvas"), boxes: find(".boxes"), video: find("video"),
    small: find(".small"), root, stream: null, id: "", sent: -1, judged: -1, trouble: "", asked: 0,
  };
  live.frame = document.createElement("canvas");
  live.camera.onclick = () => begin(live, "camera", (media) => media.getUserMedia({ video: wanted(live), audio: false }));
  live.screen.onclick = () => begin(live, "screen or window", (media) => media.getDisplayMedia({ video: true, audio: false }));
  live.stop.onclick = () => end(live, "");
  live.select.onchange = () => live.camera.onclick();
  return live;
}

function wanted({ select }) {
  const size = { width: { ideal: LONGEST } };
  return select.value ? { ...size, deviceId: { exact: select.value } } : size;
}

async function begin(live, what, ask) {
  end(live, "");
  const media = navigator.mediaDevices;
  if (!media?.getUserMedia) {
    return end(live, "Browsers give pictures only to pages of this machine (localhost) and to those over HTTPS.");
  }
  const asked = (live.asked += 1);
  try {
    const stream = await ask(media);
    // Asked for something else meanwhile, or the page was left: nothing stays on unseen.
    if (asked !== live.asked || !live.root.isConnected) return void stream.getTracks().forEach((track) => track.stop());
    live.stream = stream;
  } catch (error) {
    if (asked !== live.asked) return;
    const why = {
      NotAllowedError: "The browser was not allowed to give its picture.",
      NotFoundError: `The browser finds no ${what}.`,
      NotReadableError: `The browser cannot read the ${what}; another program may be using it.`,
    };
    return end(live, `${why[error.name] || `${error.message}.`} Press the button to try again.`);
  }
  const [track] = live.stream.getVideoTracks();
  const mine = live.stream;
  track.onended = () => { if (live.stream === mine) end(live, "The picture ended."); };
  live.video.srcObject = live.stream;
  await live.video.play().catch(() => {});
  Object.assign(live, { id: crypto.getRandomValues(new Uint32Array(2)).join("-"), sent: -1, judged: -1, trouble: "" });
  live.began = performance.now();
  live.stage.classList.add("first");
  cameras(live, media);
  draw(live);
  send(live);
}

async function cameras(live, media) {
  const found = (await media.enumerateDevices()).filter((device) => device.kind === "videoinput");
  const before = live.select.value;
  live.select.replaceChildren(...found.map((device) => new Option(device.label || "camera", device.deviceId)));
  if (found.some((device) => device.deviceId === before)) live.select.value = before;
  live.which.hidden = found.length < 2;
}

// A frame as the browser has it, packed without loss: packed otherwise it would be another picture.
async function send(live) {
  const { video, frame, id } = live;
  if (!live.stream) return;
  if (!video.videoWidth) return void setTimeout(() => send(live), 100);
  const factor = Math.min(1, LONGEST / Math.max(video.videoWidth, video.videoHeight));
  frame.width = Math.round(video.videoWidth * factor);
  frame.height = Math.round(video.videoHeight * factor);
  const seconds = (performance.now() - live.began) / 1000;
  frame.getContext("2d").drawImage(video, 0, 0, frame.width, frame.height);
  const blob = await new Promise((done) => frame.toBlob(done, "image/png"));
  if (live.id !== id || !live.stream) return;
  if (!blob) return end(live, "The browser could not pack a frame.");
  const png = await text(blob);
  if (live.id !== id || !live.stream) return;
  live.sent = live.judged + 1;
  tell(live, { id, number: live.sent, seconds, png });
}

// Tells the server, and the same again where no answer comes.
function tell(live, message) {
  live.tell("frame", message);
  clearTimeout(live.waiting);
  live.waiting = setTimeout(() => {
    live.trouble = "The server does not answer; trying again.";
    draw(live);
    tell(live, message);
  }, PATIENCE);
}

function text(blob) {
  return new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => fail(reader.error);
    reader.readAsDataURL(blob);
  });
}

function judged(live) {
  clearTimeout(live.waiting);
  live.judged = live.data.number;
  live.trouble = "";
  const { canvas, frame } = live;
  Object.assign(canvas, { width: frame.width, height: frame.height });
  canvas.getContext("2d").drawImage(frame, 0, 0);
  canvas.setAttribute("aria-label", live.data.words);
  live.stage.style.setProperty("--wide", frame.width / frame.height);
  live.stage.classList.remove("first");
  live.boxes.replaceChildren(...live.data.boxes.map((one) => box(one)));
  send(live);
}

function box({ box: [left, top, right, bottom], label, title, colour, used }) {
  const made = document.createElement("div"), name = document.createElement("span");
  made.className = used ? "box" : "box unused";
  Object.assign(made.style, {
    left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%`,
    borderColor: colour,
  });
  name.textContent = label;
  made.title = title;
  made.append(name);
  return made;
}

function end(live, trouble) {
  clearTimeout(live.waiting);
  live.asked += 1;
  const was = live.stream;
  for (const track of was?.getTracks() || []) track.stop();
  Object.assign(live, { stream: null, trouble });
  live.video.srcObject = null;
  if (was) live.tell("stop", Date.now());
  draw(live);
}

function draw(live) {
  const on = Boolean(live.stream), { data } = live;
  live.stop.hidden = !on;
  live.stage.hidden = !on && live.judged < 0;
  live.video.hidden = !on;
  live.which.hidden ||= !live.select.length;
  if (on && !live.stage.style.getPropertyValue("--wide") && live.video.videoWidth) {
    live.stage.style.setProperty("--wide", live.video.videoWidth / live.video.videoHeight);
  }
  const rate = on && live.stream.getVideoTracks()[0]?.getSettings().frameRate;
  const gives = rate ? `The picture has ${Math.round(rate)} frames/s. ` : "";
  live.small.textContent = live.trouble || (on ? gives + (live.judged < 0 ? data.first : data.pace) : data.idle);
}
