// Times in a page: what is shown is short, and the title has the whole, local and in UTC.
import { absolute, duration, moment } from '../words/times.js';

/** How long ago. `at`: ISO 8601 or epoch ms. */
export function Age({ at, nowMs }: { readonly at: string | number | null; readonly nowMs: number }) {
  const ms = typeof at === 'string' ? Date.parse(at) : at;
  if (ms === null || Number.isNaN(ms)) return <span>–</span>;
  const date = new Date(ms);
  return (
    <time dateTime={date.toISOString()} title={absolute(date)}>
      {duration(nowMs - ms)}
    </time>
  );
}

/** At what time. */
export function Moment({ at, nowMs }: { readonly at: string | null; readonly nowMs: number }) {
  const date = new Date(at ?? Number.NaN);
  if (Number.isNaN(date.getTime())) return <span>–</span>;
  return (
    <time dateTime={date.toISOString()} title={absolute(date)}>
      {moment(date, new Date(nowMs))}
    </time>
  );
}
