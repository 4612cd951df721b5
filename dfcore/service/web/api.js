// Requests to the service: with the key, with progress, and again when a busy service has room.

const KEPT = "dfcore-key";
// Where the service names no time, and how long it is asked again before a person decides.
const FIRST_WAIT = 5, LONGEST_WAIT = 120, PATIENCE = 15 * 60;
// What the machine failed at it may fail at again, so a person decides at once.
const BUSY = [429, 503], FAILED = "machine";

/** The key lives in this tab alone: neither other tabs nor the next visit know it. */
export const key = {
  get: () => sessionStorage.getItem(KEPT) ?? "",
  set: (value) => sessionStorage.setItem(KEPT, value),
  forget: () => sessionStorage.removeItem(KEPT),
};

/**
 * An answer other than a result: `message` is for people, `status` 0 if there was no answer. `results` are the records
 * of pictures that cannot be judged, if the service sent some.
 */
export class Refused extends Error {
  constructor(status, code, message, results = []) {
    super(message);
    Object.assign(this, { status, code, results });
  }
}

/** Whoever asked has lost interest. */
export class Stopped extends Error {}

/**
 * Asks the service and gives its JSON, or a picture as a Blob.
 *
 * @param {string} path Below this page, such as "v1/predict".
 * @param {object} [asked]
 * @param {File} [asked.file] Sent as a form; without it the request is a GET.
 * @param {object} [asked.query] Values that are null, "" or false are left out.
 * @param {AbortSignal} [asked.signal]
 * @param {boolean} [asked.picture] Whether a PNG is wanted.
 * @param {(share: number) => void} [asked.sent] Told how much has been sent, 0 to 1.
 * @param {(seconds: number, why: string) => void} [asked.waiting] Told each second until the next try.
 * @throws {Refused | Stopped}
 */
export async function ask(path, asked = {}) {
  const until = Date.now() + 1000 * PATIENCE; // By the clock: tries take their time too.
  for (let tries = 0; ; tries += 1) {
    const answer = await once(path, asked);
    if (answer.status >= 200 && answer.status < 300) {
      return asked.picture ? answer.body : parsed(answer);
    }
    const refused = await refusal(answer);
    const isBusy = BUSY.includes(answer.status) && refused.code !== FAILED;
    const seconds = isBusy ? pause(answer.retryAfter, tries) : Infinity;
    if (Date.now() + 1000 * seconds > until) {
      throw refused;
    }
    await sleep(seconds, refused.message, asked);
  }
}

function once(path, { file, query = {}, signal, picture, sent }) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(new Stopped());
      return;
    }
    const request = new XMLHttpRequest(); // fetch tells nothing of what has been sent.
    const given = Object.entries(query).filter(([, value]) => value !== null && value !== "" && value !== false);
    const parameters = new URLSearchParams(given).toString();
    request.open(file ? "POST" : "GET", parameters ? `${path}?${parameters}` : path);
    request.responseType = "blob";
    request.setRequestHeader("Accept", picture ? "image/png" : "application/json");
    if (key.get()) {
      request.setRequestHeader("Authorization", `Bearer ${key.get()}`);
    }
    const stop = () => request.abort();
    signal?.addEventListener("abort", stop, { once: true });
    request.upload.onprogress = ({ loaded, total }) => total && sent?.(loaded / total);
    request.onload = () => resolve({
      status: request.status, body: request.response, retryAfter: request.getResponseHeader("Retry-After"),
    });
    request.onabort = () => reject(new Stopped());
    request.onerror = () => reject(new Refused(0, "unreachable", unreachable(file)));
    request.onloadend = () => signal?.removeEventListener("abort", stop);
    let form = null;
    if (file) {
      form = new FormData();
      form.append("files", file, file.name);
    }
    request.send(form);
  });
}

async function parsed(answer) {
  try {
    return JSON.parse(await answer.body.text());
  } catch {
    throw new Refused(answer.status, "answer", "The answer could not be read. Is another program answering at this address?");
  }
}

async function refusal(answer) {
  try {
    const { error, results } = JSON.parse(await answer.body.text());
    return new Refused(answer.status, error.code, error.message, results);
  } catch { // Not the service, but something before it.
    return new Refused(answer.status, "status", WORDS[answer.status] ?? `The service answered with status ${answer.status}.`);
  }
}

const WORDS = {
  401: "A key is needed.",
  403: "The service does not allow this.",
  404: "There is no such service at this address.",
  413: "The picture is too large for the service, or for the proxy before it.",
  429: "The service is busy.",
  502: "The service does not answer; the proxy before it does.",
  503: "The service is not ready.",
  504: "The service did not answer in time.",
};

function unreachable(file) {
  const or = file ? " If the file was moved or changed meanwhile, choose it again." : "";
  return `The service cannot be reached. Is this device connected, and does the service run?${or}`;
}

/** Seconds until the next try. */
function pause(retryAfter, tries) {
  const date = Date.parse(retryAfter ?? "");
  const told = /^\d+$/.test(retryAfter ?? "") ? Number(retryAfter) : (date - Date.now()) / 1000;
  const seconds = Number.isFinite(told) && told >= 0 ? told : FIRST_WAIT * 2 ** tries;
  return Math.min(LONGEST_WAIT, Math.max(1, Math.ceil(seconds)));
}

async function sleep(seconds, why, { signal, waiting }) {
  const end = Date.now() + 1000 * seconds; // Timers of pages that nobody looks at are late.
  for (let left = 1000 * seconds; left > 0; left = end - Date.now()) {
    const told = Math.ceil(left / 1000);
    waiting?.(told, why);
    await new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(new Stopped());
        return;
      }
      const stop = () => {
        clearTimeout(timer);
        reject(new Stopped());
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", stop);
        resolve();
      }, left - 1000 * (told - 1));
      signal?.addEventListener("abort", stop, { once: true });
    });
  }
}
