// Times and durations as an operator at night reads them: short, local, and in UTC beside it.

const SPACE = '\u00a0';
const two = (value: number): string => String(value).padStart(2, '0');

/** `46 s`, `2 m 14 s`, `1 h 03 m`, `3 d 04 h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds}${SPACE}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${SPACE}m${SPACE}${two(seconds % 60)}${SPACE}s`;
  const hours = Math.floor(seconds / 3600);
  if (hours < 24) return `${hours}${SPACE}h${SPACE}${two(Math.floor((seconds % 3600) / 60))}${SPACE}m`;
  return `${Math.floor(hours / 24)}${SPACE}d${SPACE}${two(hours % 24)}${SPACE}h`;
}

/** Local, `03:12`. */
export function clock(at: Date): string {
  return `${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** Local, `03:12:09`; with the day if that is not the day of `now`. */
export function moment(at: Date, now: Date): string {
  const time = `${clock(at)}:${two(at.getSeconds())}`;
  if (at.toDateString() === now.toDateString()) return time;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}

/** `02:12 UTC`. */
export const utcClock = (at: Date): string => `${at.toISOString().slice(11, 16)} UTC`;

/** For a title: local and UTC, to the second. */
export const absolute = (at: Date): string =>
  `${moment(at, new Date(0))} local, ${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
