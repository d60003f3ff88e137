// Ten minutes of calls in a canvas of one row: bars of ten seconds, what failed in the colour of open.

export interface Line {
  /** Per slot, oldest first; null: nothing happened. */
  readonly calls: readonly (number | null)[];
  readonly failed: readonly (number | null)[];
}

interface Colours {
  readonly all: string;
  readonly failed: string;
}

/** Read once for a scheme: to read them is to lay out the page. */
let colours: Colours | null = null;

function coloursOf(canvas: HTMLCanvasElement): Colours {
  const style = getComputedStyle(canvas);
  return { all: style.getPropertyValue('--spark'), failed: style.getPropertyValue('--open') };
}

/** The scheme of the system is another. */
export function forgetColours(): void {
  colours = null;
}

const WIDTH = 120;
const HEIGHT = 22;

/** `line` null: nothing is known, and nothing is drawn. */
export function drawSparkline(canvas: HTMLCanvasElement, line: Line | null): void {
  const scale = devicePixelRatio;
  const [width, height] = [Math.round(WIDTH * scale), Math.round(HEIGHT * scale)];
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext('2d');
  if (context === null) return;
  context.clearRect(0, 0, width, height);
  if (line === null) return;
  colours ??= coloursOf(canvas);
  const { all, failed } = colours;
  const top = Math.max(1, ...line.calls.map((value) => value ?? 0));
  const step = width / line.calls.length;
  const bars = (values: Line['calls'], colour: string) => {
    context.fillStyle = colour;
    for (const [i, value] of values.entries()) {
      if (value === null || value === 0) continue;
      const size = Math.max(scale, (value / top) * height);
      context.fillRect(Math.floor(i * step), height - size, Math.max(1, Math.ceil(step) - 1), size);
    }
  };
  bars(line.calls, all);
  bars(line.failed, failed);
}

export const SPARKLINE_SIZE = { width: WIDTH, height: HEIGHT } as const;
