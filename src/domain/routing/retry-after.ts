// `Retry-After`, as HTTP has it (RFC 9110, 10.2.3 and 5.6.7): seconds or a date. Anything else is ignored, so that no extension's
// liberal parser of dates or numbers makes one of it.

const MAX_MS = 60_000;
/** Whole seconds; a fraction, which HTTP does not have, is taken as what it says. */
const SECONDS = /^[0-9]+(\.[0-9]+)?$/;
const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const TIME = '(?<hour>[0-9]{2}):(?<minute>[0-9]{2}):(?<second>[0-9]{2})';
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const MONTH = `(?<month>${MONTHS.join('|')})`;
/** The present form, and the two obsolete ones that a recipient must take. */
const DATES = [
  new RegExp(`^${DAY}, (?<day>[0-9]{2}) ${MONTH} (?<year>[0-9]{4}) ${TIME} GMT$`),
  new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>[0-9]{2})-${MONTH}-(?<year>[0-9]{2}) ${TIME} GMT$`),
  new RegExp(`^${DAY} ${MONTH} (?<day>[ 0-9][0-9]) ${TIME} (?<year>[0-9]{4})$`),
];
const CENTURY = 100;
const FARTHEST_YEARS = 50;

/**
 * Milliseconds from `wallMs` (epoch) on, 0..60 000; 0 for a date that has passed. null for what is neither seconds nor a date: signs,
 * exponents, units, lists, dates of other forms, days that no month has.
 */
export function parseRetryAfter(value: string, wallMs: number): number | null {
  const text = value.trim();
  if (SECONDS.test(text)) return Math.min(Math.ceil(Number(text) * 1000), MAX_MS);
  const date = dateOf(text, wallMs);
  return date === null ? null : Math.min(Math.max(date - wallMs, 0), MAX_MS);
}

/** Epoch ms; null if it is no date. */
function dateOf(text: string, wallMs: number): number | null {
  const parts = DATES.map((form) => form.exec(text)?.groups).find((groups) => groups !== undefined);
  if (parts === undefined) return null;
  const number = (name: string): number => Number(parts[name]);
  const day = number('day');
  const [hour, minute, second] = [number('hour'), number('minute'), number('second')];
  // 60: a leap second.
  if (hour > 23 || minute > 59 || second > 60) return null;
  const year = parts.year?.length === 2 ? fullYear(number('year'), wallMs) : number('year');
  const midnight = Date.UTC(year, MONTHS.indexOf(parts.month ?? ''), day);
  if (new Date(midnight).getUTCDate() !== day) return null;
  return midnight + ((hour * 60 + minute) * 60 + second) * 1000;
}

/** Two digits that would be more than 50 years ahead mean the century before. */
function fullYear(digits: number, wallMs: number): number {
  const now = new Date(wallMs).getUTCFullYear();
  const year = now - (now % CENTURY) + digits;
  return year > now + FARTHEST_YEARS ? year - CENTURY : year;
}
