// Rows that take turns: in each round every row runs for a moment, one after the other, so that they share the machine's
// mood. What else the machine does only ever makes a round slower, so the lower quartile of the rounds counts.
//
// What is measured is processor time, not time that passed: on a machine that does other things meanwhile the latter says
// little. It includes what the garbage of a row costs, also on V8's helper threads.

export interface Row {
  readonly name: string;
  /** Before each turn, outside of what is measured. */
  readonly prepare?: () => void;
  run(times: number): void | Promise<void>;
}

/** A row is warm after so many times. */
const WARM_TIMES = 20_000;

/** Nanoseconds of processor time that each row takes once, by name. */
export async function measure(rows: readonly Row[], rounds: number, turnMs: number): Promise<Map<string, number>> {
  const found = new Map<Row, number[]>();
  for (const row of rows) found.set(row, [await warmUp(row, 2 * rounds * turnMs)]);
  for (let round = 0; round < rounds; round++)
    for (const [row, costs] of found) {
      const times = Math.max(1, Math.round((turnMs * 1e6) / (costs.at(-1) ?? 1)));
      costs.push(await turn(row, times));
    }
  return new Map([...found].map(([row, costs]) => [row.name, lowerQuartile(costs.slice(1))]));
}

const lowerQuartile = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 4)] ?? Number.NaN;

/** Until the compiler has seen enough of it, or for so long. Returns what one time costs by then. */
async function warmUp(row: Row, longestMs: number): Promise<number> {
  let spentNs = 0;
  for (let times = 1; ; times *= 2) {
    const ns = await turn(row, times);
    spentNs += ns * times;
    if (times >= WARM_TIMES || spentNs >= longestMs * 1e6) return ns;
  }
}

async function turn(row: Row, times: number): Promise<number> {
  row.prepare?.();
  // Timers that are due fire between the turns.
  await new Promise((resolve) => setImmediate(resolve));
  const before = process.cpuUsage();
  await row.run(times);
  const { user, system } = process.cpuUsage(before);
  // The counter moves in whole microseconds.
  return (Math.max(user + system, 1) * 1000) / times;
}
