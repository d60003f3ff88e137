// Where personal data is in a text: e-mail addresses, payment cards, IBANs, US social security numbers, phone numbers.
//
// P1. What has a check digit is checked (Luhn, mod 97), so that an order number is not taken for a card.
// P2. Every pattern is anchored to where a token begins, so that the time is linear in the length of the text.
import { mapPayload } from './envelope.mjs';

/** @typedef {{ kind: string, start: number, end: number }} Finding `end` is exclusive */

const EMAIL =
  /(?<![\p{L}\p{N}_%+-])[\p{L}\p{N}_%+-][\p{L}\p{N}._%+-]{0,63}@(?:[\p{L}\p{N}-]{1,63}\.){1,8}\p{L}{2,63}/gu;
const DIGIT_GROUPS = /(?<![\p{L}\p{N}_])\d+(?:[ -]\d+)*(?![\p{L}\p{N}_])/gu;
const IBAN_START = /(?<![\p{L}\p{N}])[A-Z]{2}\d{2}/giu;
const SSN = /(?<![\p{L}\p{N}-])(?!000|666|9\d\d)\d{3}([ -])(?!00)\d{2}\1(?!0000)\d{4}(?![\p{L}\p{N}]|-\d)/gu;
const PHONES = [
  // +44 20 7946 0958, 0049 (0)30 123456
  /(?<![\p{L}\p{N}+])(?:\+|00)[1-9](?:[ ()./-]{0,3}\d){7,14}(?!\d)/gu,
  // (415) 555-0132, 415-555-0132, 415.555.0132
  /(?<![\p{L}\p{N}.-])(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\p{L}\p{N}]|[.-]\d)/gu,
  // 020 7946 0958, 030/123456, 0151-23456789, 07700900123
  /(?<![\p{L}\p{N}.,-])0[1-9]\d{1,3}[ /-]?\d{3,4}[ -]?\d{3,4}(?![\p{L}\p{N}]|[.,-]\d)/gu,
];

// Country code and length of its IBANs.
const IBAN_LENGTHS = new Map(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 ' +
    'FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IS26 IT27 JO30 KW30 KZ20 LB28 LI21 LT20 LU20 LV21 MC27 ' +
    'MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SE24 SI19 SK24 SM27 TN24 TR26 ' +
    'UA29 VA22 XK20'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/**
 * In order of their place; where two overlap, the stricter kind stands.
 * @param {string} text
 * @returns {Finding[]}
 */
export function findPii(text) {
  const found = [];
  const taken = new Uint8Array(text.length);
  for (const finding of candidates(text)) {
    const place = taken.subarray(finding.start, finding.end);
    if (place.includes(1)) continue;
    place.fill(1);
    found.push(finding);
  }
  return found.sort((a, b) => a.start - b.start);
}

/** @param {string} text strictest kind first */
function* candidates(text) {
  yield* matches('email', EMAIL, text);
  yield* ibans(text);
  yield* cards(text);
  yield* matches('ssn', SSN, text);
  for (const pattern of PHONES) yield* matches('phone', pattern, text);
}

function* matches(kind, pattern, text) {
  for (const match of text.matchAll(pattern)) yield { kind, start: match.index, end: match.index + match[0].length };
}

/** Runs of 13 to 19 digits, also in groups, that begin like a card and pass Luhn. */
function* cards(text) {
  for (const run of text.matchAll(DIGIT_GROUPS)) {
    const groups = [...run[0].matchAll(/\d+/g)];
    for (let first = 0; first < groups.length; first += 1) {
      let digits = '';
      const separator = run[0][groups[first].index + groups[first][0].length];
      for (let last = first; last < groups.length && digits.length < 19; last += 1) {
        // Printed in groups, a card begins with one of four, and all are set apart in the same way.
        const before = groups[last].index - 1;
        if (last > first && (groups[first][0].length !== 4 || run[0][before] !== separator)) break;
        digits += groups[last][0];
        if (!/^[2-6]\d{12,18}$/.test(digits) || !passesLuhn(digits)) continue;
        yield {
          kind: 'card',
          start: run.index + groups[first].index,
          end: run.index + groups[last].index + groups[last][0].length,
        };
        first = last;
        break;
      }
    }
  }
}

function passesLuhn(digits) {
  let sum = 0;
  for (let place = 0; place < digits.length; place += 1) {
    const digit = Number(digits[digits.length - 1 - place]) * (place % 2 === 0 ? 1 : 2);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return sum % 10 === 0;
}

/** As long as its country says, blanks and hyphens between, and with a remainder of 1. */
function* ibans(text) {
  for (const begin of text.matchAll(IBAN_START)) {
    const length = IBAN_LENGTHS.get(begin[0].slice(0, 2).toUpperCase());
    if (length === undefined) continue;
    let iban = '';
    let end = begin.index;
    for (; end < text.length && iban.length < length; end += 1) {
      if (/[A-Za-z0-9]/.test(text[end])) iban += text[end].toUpperCase();
      else if (!/[ -]/.test(text[end])) break;
    }
    if (iban.length === length && !/[A-Za-z0-9]/.test(text[end] ?? '') && remainder97(iban) === 1)
      yield { kind: 'iban', start: begin.index, end };
  }
}

function remainder97(iban) {
  let remainder = 0;
  for (const character of iban.slice(4) + iban.slice(0, 4))
    for (const digit of String(Number.parseInt(character, 36))) remainder = (remainder * 10 + Number(digit)) % 97;
  return remainder;
}

/**
 * How much of each kind a payload holds, in its texts, numbers and names of fields.
 * @param {unknown} payload
 * @returns {Map<string, number>}
 */
export function findPiiIn(payload) {
  const counts = new Map();
  const count = (text) => {
    for (const { kind } of findPii(text)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return text;
  };
  const countNumber = (leaf) => (typeof leaf === 'number' ? count(String(leaf)) : leaf);
  mapPayload(payload, { text: count, leaf: countNumber, name: count });
  return counts;
}

/**
 * The payload with personal data replaced by its kind in brackets, in texts, numbers and names of fields.
 * @param {unknown} payload
 */
export function maskPiiIn(payload) {
  let count = 0;
  const mask = (text) => {
    let masked = '';
    let end = 0;
    for (const finding of findPii(text)) {
      masked += `${text.slice(end, finding.start)}[${finding.kind}]`;
      end = finding.end;
      count += 1;
    }
    return masked + text.slice(end);
  };
  const maskNumber = (leaf) =>
    typeof leaf === 'number' && findPii(String(leaf)).length > 0 ? mask(String(leaf)) : leaf;
  return { masked: mapPayload(payload, { text: mask, leaf: maskNumber, name: mask }), count };
}
