// Text of the registry, of callers and of daemons on a terminal.
//
// TERMINAL-TEXT-1. No character reaches the terminal that it would obey: control characters, and those that reorder or hide text,
//     are shown escaped.
// TERMINAL-TEXT-2. A width is counted in columns of the terminal: East Asian wide characters and emoji take two, marks none.

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach the terminal
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\p{Cs}]|(?![\u200c\u200d])\p{Cf}/gu;
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;
const WIDE =
  /^[\p{Emoji_Presentation}\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1b000}-\u{1b2ff}\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}]/u;
const AS_EMOJI = '\ufe0f';
const NO_WIDTH = /^[\p{Mn}\p{Me}\u200c\u200d]+$/u;
/** The only marks with a column of their own. */
const HALF_WIDTH_MARK = /[\uff9e\uff9f]/g;
const ELLIPSIS = '…';

/** TERMINAL-TEXT-1, on one line. */
export const singleLine = (text: string): string => (PRINTABLE_ASCII.test(text) ? text : text.replace(UNSAFE, escaped));

/** TERMINAL-TEXT-1; line ends and tabs stay. */
export const printable = (text: string): string =>
  text.replace(UNSAFE, (char) => (char === '\n' || char === '\t' ? char : escaped(char)));

/** A JSON text that says the same, and that a terminal can show. */
export const printableJson = (text: string): string =>
  text.replace(UNSAFE, (char) => (char === '\n' ? char : [...unitsOf(char)].join('')));

function escaped(char: string): string {
  const short = JSON.stringify(char).slice(1, -1);
  return short.startsWith('\\') ? short : [...unitsOf(char)].join('');
}

function* unitsOf(char: string): Generator<string> {
  for (let i = 0; i < char.length; i++) yield `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`;
}

let segmenter: Intl.Segmenter | null = null;
const graphemes = (text: string): Iterable<Intl.SegmentData> => {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  return segmenter.segment(text);
};

const widthOfGrapheme = (grapheme: string): number => {
  if (NO_WIDTH.test(grapheme)) return 0;
  const width = WIDE.test(grapheme) || grapheme.includes(AS_EMOJI) ? 2 : 1;
  return width + (grapheme.slice(1).match(HALF_WIDTH_MARK)?.length ?? 0);
};

/** TERMINAL-TEXT-2. Of a text on one line. */
export function widthOf(text: string): number {
  if (PRINTABLE_ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes(text)) width += widthOfGrapheme(segment);
  return width;
}

/** At most `width` columns of it; what is cut ends with an ellipsis. */
export function cutTo(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  if (width < 1) return '';
  let [kept, used] = ['', 0];
  for (const { segment } of graphemes(text)) {
    used += widthOfGrapheme(segment);
    if (used > width - 1) break;
    kept += segment;
  }
  return `${kept}${ELLIPSIS}`;
}

/** Lines of at most `width` columns, broken at blanks; a longer word stands alone. `text`: on one line. */
export function wrappedTo(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && widthOf(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

export const padTo = (text: string, width: number, side: 'left' | 'right' = 'left'): string => {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)));
  return side === 'left' ? `${text}${blanks}` : `${blanks}${text}`;
};
