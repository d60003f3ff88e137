// Times in a page: what is shown is short, and the title has the whole, local and in UTC.
//
// TIMES-1. Each reads the clock itself: an age is drawn again once a second, the time of a moment once a day, and nothing around them.

import { absolute, duration, moment } from '../words/times.js';
import { dayMs, nowMs } from './clock.js';

/** How long ago. `at`: ISO 8601 or epoch ms. */
export function Age({ at }: { readonly at: string | number | null }) {
  const ms = typeof at === 'string' ? Date.parse(at) : at;
  if (ms === null || Number.isNaN(ms)) return <span>–</span>;
  const date = new Date(ms);
  return (
    <time dateTime={date.toISOString()} title={absolute(date)}>
      {duration(nowMs.value - ms)}
    </time>
  );
}

/** At what time. */
export function Moment({ at }: { readonly at: string | null }) {
  const date = new Date(at ?? Number.NaN);
  if (Number.isNaN(date.getTime())) return <span>–</span>;
  return (
    <time dateTime={date.toISOString()} title={absolute(date)}>
      {moment(date, new Date(dayMs.value))}
    </time>
  );
}
