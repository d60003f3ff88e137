// Ten minutes of calls in a canvas of one row: bars of ten seconds, what failed in the colour of open.

export interface Line {
  /** Per slot, oldest first; null: nothing happened. */
  readonly calls: readonly (number | null)[];
  readonly failed: readonly (number | null)[];
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
  const style = getComputedStyle(canvas);
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
  bars(line.calls, style.getPropertyValue('--spark'));
  bars(line.failed, style.getPropertyValue('--open'));
}

export const SPARKLINE_SIZE = { width: WIDTH, height: HEIGHT } as const;
