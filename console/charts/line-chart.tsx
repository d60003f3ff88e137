// A chart over time: uPlot, with the colours of the scheme and with marks.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { clock, moment } from '../words/times.js';
import type { Mark } from './mark.js';
import { marksPlugin } from './marks.js';

export interface ChartSeries {
  readonly label: string;
  /** Name of a colour in colours.css. */
  readonly colour: string;
  readonly values: readonly (number | null)[];
}

interface LineChartProps {
  readonly title: string;
  /** Epoch s of each value. */
  readonly times: readonly number[];
  readonly series: readonly ChartSeries[];
  readonly marks: readonly Mark[];
  readonly unit: string;
  /** Charts of the same name share their cursor. */
  readonly together: string;
}

const HEIGHT = 170;

export function LineChart(props: LineChartProps) {
  const { title, times, series, unit } = props;
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const now = useRef(props);
  now.current = props;
  const names = series.map(({ label }) => label).join();
  useEffect(() => {
    const { current } = box;
    if (current === null) return;
    const draw = () => {
      chart.current?.destroy();
      chart.current = new uPlot(
        optionsOf(props, current, () => now.current.marks),
        dataOf(now.current),
        current,
      );
    };
    draw();
    const resized = new ResizeObserver(() => {
      if (current.clientWidth > 0) chart.current?.setSize({ width: current.clientWidth, height: HEIGHT });
    });
    resized.observe(current);
    // Colours of a canvas do not follow the scheme.
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    return () => {
      scheme.removeEventListener('change', draw);
      resized.disconnect();
      chart.current?.destroy();
      chart.current = null;
    };
  }, [names]);
  useEffect(() => chart.current?.setData(dataOf(props)), [times, series]);
  return (
    <figure class="chart">
      <figcaption>
        {title} <span class="dim">{unit}</span>
      </figcaption>
      <div ref={box} class="chart-box" />
    </figure>
  );
}

/** Values without a neighbour, which no line would show. */
const alone = (chart: uPlot, at: number): number[] => {
  const values = chart.data[at] ?? [];
  return Array.from(values, (_, i) => i).filter(
    (i) => values[i] != null && values[i - 1] == null && values[i + 1] == null,
  );
};

const dataOf = ({ times, series }: LineChartProps): uPlot.AlignedData => [
  [...times],
  ...series.map(({ values }) => [...values]),
];

function optionsOf(
  { series, together, unit }: LineChartProps,
  box: HTMLElement,
  marks: () => readonly Mark[],
): uPlot.Options {
  const style = getComputedStyle(box);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`);
  const axis: uPlot.Axis = {
    stroke: colour('dim'),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: colour('line'), width: 1 },
    ticks: { stroke: colour('line'), width: 1 },
  };
  return {
    width: box.clientWidth,
    height: HEIGHT,
    cursor: { sync: { key: together }, drag: { x: false, y: false } },
    scales: {
      // A mark of just now is behind the last slot.
      x: { range: (_, min, max) => [min, Math.max(max, ...marks().map(({ at }) => at + 1))] },
      y: { range: (_, __, max) => [0, Math.max(max ?? 0, 1) * 1.15] },
    },
    axes: [
      { ...axis, values: (_, at) => at.map((one) => clock(new Date(one * 1000))), size: 28 },
      { ...axis, size: 52 },
    ],
    series: [
      { label: 'at', value: (_, at) => (at === null ? '–' : moment(new Date(at * 1000), new Date())) },
      ...series.map(
        ({ label, colour: name }): uPlot.Series => ({
          label,
          stroke: colour(name),
          width: 1.5,
          points: { show: true, size: 4, filter: alone },
          value: (_, value) => (value === null ? '–' : `${Math.round(value * 10) / 10} ${unit}`),
        }),
      ),
    ],
    plugins: [marksPlugin(marks)],
  };
}
