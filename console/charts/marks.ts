// Lines across a chart: transitions, decisions, and where the numbers begin.
//
// MARKS-1. The state of a canvas leaks from one hook of uPlot into the next: everything that is used is set here, and restored.
import type uPlot from 'uplot';
import type { Mark } from './mark.js';

const LABEL_PX = 10;

/** A plugin of uPlot. `marks`: read at each drawing. */
export const marksPlugin = (marks: () => readonly Mark[]): uPlot.Plugin => ({
  hooks: { draw: (chart) => drawMarks(chart, marks()) },
});

/** MARKS-1. */
function drawMarks(chart: Pick<uPlot, 'ctx' | 'bbox' | 'scales' | 'valToPos' | 'root'>, marks: readonly Mark[]): void {
  const { ctx, bbox, scales, root } = chart;
  const { min, max } = scales.x ?? {};
  const scale = devicePixelRatio;
  const style = getComputedStyle(root);
  // Where labels are, in each of three rows: one that would cover another is left out, its line stays.
  const taken: [from: number, to: number][][] = [[], [], []];
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.textAlign = 'left';
  ctx.textBaseline = 'top';
  ctx.font = `${LABEL_PX * scale}px ${style.fontFamily}`;
  ctx.lineWidth = scale;
  // Transitions have their labels before everything else, the newest first.
  const inOrder = marks.toSorted((a, b) => Number(a.isDashed) - Number(b.isDashed) || b.at - a.at);
  for (const { at, label, colour, isDashed } of inOrder) {
    if (min == null || max == null || at < min || at > max) continue;
    // On the middle of a pixel, or the line would be spread over two.
    const x = Math.round(chart.valToPos(at, 'x', true)) + 0.5;
    ctx.strokeStyle = style.getPropertyValue(`--${colour}`);
    ctx.fillStyle = ctx.strokeStyle;
    ctx.setLineDash(isDashed ? [3 * scale, 3 * scale] : []);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const width = ctx.measureText(label).width;
    const isLeft = x + width + 8 * scale > bbox.left + bbox.width;
    const from = isLeft ? x - width - 4 * scale : x + 4 * scale;
    const to = from + width + 4 * scale;
    const row = taken.findIndex((labels) => labels.every(([start, end]) => end < from || start > to));
    if (row === -1) continue;
    taken[row]?.push([from, to]);
    ctx.fillText(label, from, bbox.top + (2 + row * (LABEL_PX + 2)) * scale);
  }
  ctx.restore();
}
