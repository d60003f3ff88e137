// Times as clients give them: ISO 8601 with a zone, or a day.

const TIME = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;

/** Epoch ms, from 1970 on; null: it is no time. A Date alone takes `1` for the year 2001, and the 30th of February for the 2nd of March. */
export function timeIn(given: string): number | null {
  const [, day = ''] = TIME.exec(given) ?? [];
  const isDay = Date.parse(day) >= 0 && new Date(day).toISOString().startsWith(day);
  const time = isDay ? Date.parse(given) : Number.NaN;
  return Number.isNaN(time) || time < 0 ? null : time;
}
