// Sends files in slices: each goes to the address that the server gave, then the server is told, and gives the next.
const uploads = new WeakMap();
const PATIENCE = 30000;

export default function (component) {
  const { parentElement: root, data, setTriggerValue } = component;
  let upload = uploads.get(root);
  if (!upload) uploads.set(root, (upload = made(root)));
  Object.assign(upload, { data, tell: setTriggerValue });
  advance(upload);
  draw(upload);
  return () => clearTimeout(upload.waiting);
}

function made(root) {
  const find = (name) => root.querySelector(name);
  const upload = {
    words: find(".words"), small: find(".small"), bar: find("progress"), stop: find(".stop"), go: find(".go"),
    choose: [find(".files"), find(".folder")], files: [], id: "", asked: -1, trouble: "",
  };
  const many = find(".many"), tree = find(".tree"), drop = find(".drop");
  Object.assign(upload, { many, tree });
  upload.choose[0].onclick = () => many.click();
  upload.choose[1].onclick = () => tree.click();
  for (const input of [many, tree]) {
    input.onchange = () => { offer(upload, [...input.files]); input.value = ""; };
  }
  drop.ondragover = (event) => { event.preventDefault(); drop.classList.add("over"); };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    dropped(event.dataTransfer).then((files) => offer(upload, files));
  };
  upload.stop.onclick = () => { Object.assign(upload, { files: [], id: "" }); upload.tell("drop", Date.now()); };
  upload.go.onclick = () => { Object.assign(upload, { trouble: "", asked: -1 }); draw(upload); advance(upload); };
  return upload;
}

// Files of what was dropped, folders included.
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = [];
  const visit = async (entry, above) => {
    if (entry.isFile) {
      const file = await new Promise((done, fail) => entry.file(done, fail));
      found.push(Object.assign(file, { below: above + file.name }));
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((done, fail) => reader.readEntries(done, fail));
      if (!some.length) return;
      for (const one of some) await visit(one, `${above}${entry.name}/`);
    }
  };
  for (const entry of entries) await visit(entry, "");
  return found;
}

function offer(upload, files) {
  if (!files.length) return;
  Object.assign(upload, { files, id: crypto.getRandomValues(new Uint32Array(2)).join("-"), asked: -1, trouble: "" });
  const listed = files.map((file) => [file.below || file.webkitRelativePath || file.name, file.size, file.lastModified]);
  upload.began = performance.now();
  upload.from = -1;
  upload.tell("offer", { id: upload.id, files: listed });
}

// Sends the next slice, if it is this page that has the files.
async function advance(upload) {
  const { data } = upload;
  if (upload.trouble && data.address !== upload.failed) upload.trouble = "";  // The server is there again.
  if (!data.id || data.id !== upload.id || data.at >= data.total || upload.asked === data.at || upload.trouble) return;
  if (upload.from < 0) Object.assign(upload, { from: data.at, began: performance.now() });
  const at = (upload.asked = data.at);
  clearTimeout(upload.waiting);
  try {
    const body = new FormData();
    body.append("file", slice(upload, at), "slice");
    const answer = await fetch(data.address, {
      method: "PUT", body, credentials: "same-origin", headers: { "X-Xsrftoken": token() },
    });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  } catch (error) {
    upload.trouble = `Sending was interrupted (${error.message}). What has arrived is kept.`;
    upload.failed = data.address;
    draw(upload);
    return;
  }
  upload.tell("slice", { id: data.id, at, file: data.file });
  upload.waiting = setTimeout(() => { upload.asked = -1; advance(upload); }, PATIENCE);
}

// The next bytes of all files that are taken, one after the other.
function slice(upload, at) {
  const left = new Set(upload.data.left), parts = [];
  let start = 0, room = upload.data.slice;
  for (const [number, file] of upload.files.entries()) {
    if (left.has(number)) continue;
    const from = Math.max(at - start, 0);
    start += file.size;
    if (from >= file.size || !room) continue;
    const part = file.slice(from, from + room);
    parts.push(part);
    room -= part.size;
  }
  return new Blob(parts);
}

function token() {
  const found = document.cookie.match(/(?:^|;\s*)_streamlit_xsrf=([^;]*)/);
  return found ? decodeURIComponent(found[1]) : "";
}

function draw(upload) {
  const { data } = upload, sending = data.id && data.at < data.total, mine = data.id === upload.id;
  Object.assign(upload.many, { accept: data.accept, multiple: data.several, ariaLabel: data.label });
  upload.choose[0].textContent = data.several ? "Choose files" : "Choose a file";
  upload.bar.hidden = !sending;
  upload.bar.value = data.total ? data.at / data.total : 0;
  upload.stop.hidden = !data.id;
  upload.stop.textContent = sending ? "Cancel" : "Take away";
  upload.go.hidden = !(sending && mine && upload.trouble);
  for (const button of upload.choose) button.hidden = sending && mine;
  upload.choose[1].hidden ||= !data.several;
  upload.words.textContent = data.words;
  upload.small.textContent = upload.trouble || (sending ? (mine ? pace(upload) : data.again) : data.small);
}

function pace({ data, from, began }) {
  const seconds = (performance.now() - began) / 1000, speed = (data.at - from) / seconds;
  const share = `${megabytes(data.at)} of ${megabytes(data.total)} MB sent`;
  if (from < 0 || seconds < 2 || !speed) return `${share}. Leave this page open until all of it has arrived.`;
  const left = (data.total - data.at) / speed;
  const time = left < 90 ? `${Math.ceil(left)} s` : `${Math.round(left / 60)} min`;
  return `${share}, ${megabytes(speed)} MB/s, about ${time} left. Leave this page open until all of it has arrived.`;
}

const megabytes = (bytes) => (bytes / 2 ** 20).toLocaleString("en", { maximumFractionDigits: bytes < 2 ** 24 ? 1 : 0 });
