// Draws a heat-map as the workbench does (dfcore.explanation.overlay): smoothed a little, stretched over all colours.

const STOPS = ["000004", "1b0c41", "4a0c6b", "781c6d", "a52c60", "cf4446", "ed6925", "fb9b06", "f7d13d", "fcffa4"]
  .map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));
const SMOOTHING = 1 / 60, FULL_FROM = 0.99, FLAT = 0.02;

/**
 * Draws the explained part of a map on a canvas that lies over that part of the picture.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLElement} rest Lies over the whole picture; a hole is cut into it there.
 * @param {object} heatmap As the service answers it.
 */
export function draw(canvas, rest, heatmap) {
  const [left, top, right, bottom] = heatmap.region ?? [0, 0, heatmap.width, heatmap.height];
  const rows = heatmap.values.slice(top, bottom).map((row) => row.slice(left, right).map((value) => value ?? 0));
  const [width, height] = [right - left, bottom - top];
  canvas.width = Math.max(1, width);
  canvas.height = Math.max(1, height);
  const [x, y] = [(at) => `${(100 * at) / heatmap.width}%`, (at) => `${(100 * at) / heatmap.height}%`];
  Object.assign(canvas.style, { left: x(left), top: y(top), width: x(width), height: y(height) });
  const hole = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]];
  const corners = hole.map(([across, down]) => `${x(across)} ${y(down)}`).join(", ");
  rest.style.clipPath = `polygon(evenodd, 0 0, 100% 0, 100% 100%, 0 100%, 0 0, ${corners})`;
  if (width < 1 || height < 1) {
    return;
  }
  const image = new ImageData(width, height);
  stretched(smooth(rows)).flat().forEach((value, at) => image.data.set([...colour(value), 255], 4 * at));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function colour(value) {
  const place = Math.min(1, Math.max(0, value)) * (STOPS.length - 1);
  const below = Math.min(STOPS.length - 2, Math.floor(place));
  return STOPS[below].map((from, channel) => Math.round(from + (place - below) * (STOPS[below + 1][channel] - from)));
}

/** A Gaussian along both axes; beyond the edge lies what lies at the edge. */
function smooth(rows) {
  const sigma = SMOOTHING * Math.max(rows.length, rows[0].length);
  const reach = Math.floor(4 * sigma + 0.5);
  const weights = Array.from({ length: 2 * reach + 1 }, (_, at) => Math.exp(-0.5 * ((at - reach) / sigma) ** 2));
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  const along = (row) => row.map((_, at) => weights.reduce(
    (sum, weight, step) => sum + weight * row[Math.min(row.length - 1, Math.max(0, at + step - reach))], 0) / all);
  return turned(turned(rows.map(along)).map(along));
}

function turned(rows) {
  return rows[0].map((_, at) => rows.map((row) => row[at]));
}

/** From the weakest part, 0, to the strongest hundredth, 1; a map that is the same everywhere stays as it is. */
function stretched(rows) {
  const sorted = rows.flat().sort((a, b) => a - b);
  const place = FULL_FROM * (sorted.length - 1);
  const before = sorted[Math.floor(place)];
  const high = before + (place - Math.floor(place)) * (sorted[Math.ceil(place)] - before);
  const low = sorted[0];
  const isFlat = high <= 0 || high - low < FLAT * high;
  return isFlat ? rows : rows.map((row) => row.map((value) => (value - low) / (high - low)));
}
